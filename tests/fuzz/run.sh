#!/bin/sh
# Runs one fuzz target on stable Rust: tests/fuzz/run.sh TARGET [libFuzzer options]. A failing input is left in tests/fuzz/target.
set -eu
cd "$(dirname "$0")"
target="$1"
shift
host="$(rustc -vV | sed -n 's/^host: //p')"
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
cargo build --quiet --release --target "$host" --bin "$target"
# libFuzzer writes what it finds interesting to the first folder, and only reads the second.
mkdir -p "target/corpus/$target"
exec "target/$host/release/$target" "target/corpus/$target" "corpus/$target" -max_len=4096 -artifact_prefix=target/ "$@"
