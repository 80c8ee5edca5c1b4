//! The demonstration: one command, nothing needed, and a failure that the reader sees.

use super::support::{Ran, folder, reel};

#[test]
fn the_demonstration_shows_its_four_steps() {
    let folder = folder();
    let ran = Ran::of(reel(["demo", "-o"]).arg(folder.path().join("demo"))).exits(0);
    for step in
        ["\n1. A shop runs", "\n2. What was recorded", "\n3. The store is stopped", "\n4. Somebody breaks the shop"]
    {
        assert!(ran.out.contains(step), "{step:?} is not in:\n{}", ran.out);
    }
    ran.prints(" passed, 0 failed\n").prints("missing call").prints("  FAIL  ");
}
