//! Tributary: one OpenAI endpoint over the AI accounts that people already have.

use std::process::ExitCode;

use mimalloc::MiMalloc;

// A request allocates a hundred times; docs/decisions/0005 has the figures.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tributary::cli::main()
}
