-- Arguments: how many accounts to bring to their places. Answers whether there are more.

return reorder(number(ARGV[base + 1])) and 1 or 0
