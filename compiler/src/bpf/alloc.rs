//! Homes for registers: r6 to r9 for the busiest, slots of the stack for the others.
//!
//! Graph colouring by weight: the registers are taken busiest first, and each gets the first machine register, else the
//! first slot, that none of those it conflicts with has. A register that is copied from another wants the same home, which
//! makes the copy vanish. r0 to r5 are never homes: every instruction may use them freely.

use super::flow::Flow;
use super::insn::Machine;

/// Where a register lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// It is a constant.
    Const(i64),
    Machine(Machine),
    /// The n-th 8-byte slot of the stack.
    Slot(u32),
    /// Nobody reads it.
    Nowhere,
}

/// The registers that survive a call.
const SAVED: [Machine; 4] = [6, 7, 8, 9];

/// The homes of a function's registers, and how many slots they take.
pub(super) struct Homes {
    pub homes: Vec<Home>,
    pub slots: u32,
}

/// Gives every register a home.
pub(super) fn allocate(flow: &Flow) -> Homes {
    let count = flow.weights.len();
    let mut homes = vec![Home::Nowhere; count];
    for (reg, value) in flow.constants.iter().enumerate() {
        if let Some(value) = value {
            homes[reg] = Home::Const(*value);
        }
    }
    let mut busiest: Vec<usize> =
        (0..count).filter(|&reg| flow.weights[reg] > 0 && homes[reg] == Home::Nowhere).collect();
    busiest.sort_by_key(|&reg| std::cmp::Reverse(flow.weights[reg]));
    let mut partners: Vec<Vec<u32>> = vec![Vec::new(); count];
    for &(a, b) in &flow.copies {
        partners[a as usize].push(b);
        partners[b as usize].push(a);
    }
    let mut slots = 0;
    for reg in busiest {
        let taken: Vec<Home> = flow.conflicts[reg].iter().map(|&other| homes[other as usize]).collect();
        let wanted = partners[reg]
            .iter()
            .map(|&other| homes[other as usize])
            .find(|home| matches!(home, Home::Machine(_)) && !taken.contains(home));
        let machine = || SAVED.into_iter().map(Home::Machine).find(|home| !taken.contains(home));
        let slot = || (0..).map(Home::Slot).find(|home| !taken.contains(home));
        let home = wanted.or_else(machine).or_else(slot).unwrap_or(Home::Nowhere);
        if let Home::Slot(slot) = home {
            slots = slots.max(slot + 1);
        }
        homes[reg] = home;
    }
    Homes { homes, slots }
}
