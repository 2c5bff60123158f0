#!/bin/sh
# One question by curl. The token stands in no command line.
set -eu
curl --silent --fail-with-body --config - "$AI_CREATOR_BASE_URL/v1/chat/completions" \
    --json '{"model": "qwen-plus", "messages": [{"role": "user", "content": "Say hello."}]}' <<END
header = "Authorization: Bearer $AI_CREATOR_API_KEY"
END
