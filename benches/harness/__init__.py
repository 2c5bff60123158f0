"""The parts of benches/run; see benches/README.md for what is measured and how."""
