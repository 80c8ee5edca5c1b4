//! `count`, `sum`, `min`, `max`, `avg`, `stats`, `hist`, `lhist`: the right side of `@m[key] =`.

use reel_lang::env::{Function, Param, Places, Returns};

use super::call;

pub(super) fn functions() -> Vec<Function> {
    let of_number = |name, doc, example| call(name, &[Param::Int], Returns::Agg, Places::BOTH, [doc, example]);
    vec![
        call(
            "count",
            &[],
            Returns::Agg,
            Places::BOTH,
            ["Counts events.", "tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }"],
        ),
        of_number("sum", "Adds up numbers.", "begin { @n = sum(3); }"),
        of_number("min", "Keeps the smallest number.", "begin { @n = min(3); }"),
        of_number("max", "Keeps the largest number.", "begin { @n = max(3); }"),
        of_number("avg", "Averages numbers.", "begin { @n = avg(3); }"),
        of_number("stats", "Counts, averages and adds up numbers.", "begin { @n = stats(3); }"),
        Function {
            optional: 1,
            ..call(
                "hist",
                &[Param::Int, Param::LiteralInt],
                Returns::Agg,
                Places::BOTH,
                ["A histogram with power-of-two buckets, each cut in `2^bits`.", "begin { @n = hist(3); }"],
            )
        },
        call(
            "lhist",
            &[Param::Int, Param::LiteralInt, Param::LiteralInt, Param::LiteralInt],
            Returns::Agg,
            Places::BOTH,
            [
                "A histogram with buckets of one width: value, lowest, highest, width.",
                "begin { @n = lhist(3, 0, 10, 1); }",
            ],
        ),
    ]
}
