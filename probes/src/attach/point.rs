//! From the checker's attach points to places that a program can be attached to.

use std::path::PathBuf;

use reel_lang::env::{AttachPoint, ProbeKind};

use super::{Attach, SampleRate};
use crate::catalog;
use crate::cgroup::{CgroupError, mount_point};
use crate::load::LoadError;

/// What the points of one script are restricted to.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The cgroup of hooks that need one; the root of all cgroups where it is none.
    pub cgroup: Option<PathBuf>,
    /// The one process in which uprobes fire; all, where it is none.
    pub pid: Option<u32>,
}

impl Attach {
    /// Returns where a point attaches; none for `begin`, `end` and `interval`, which are run by
    /// [`crate::load::Loaded::run_once`] instead.
    ///
    /// # Errors
    /// `NoTarget` when the point is not one that [`crate::catalog::Catalog::attach`] gave;
    /// `Unsupported` for a cgroup hook where cgroup v2 is not mounted.
    pub fn of_point(point: &AttachPoint, scope: &Scope) -> Result<Option<Attach>, LoadError> {
        let foreign = || LoadError::NoTarget(point.name.clone());
        let target: Vec<&str> = point.target.iter().map(String::as_str).collect();
        Ok(Some(match (point.kind, target.as_slice()) {
            (ProbeKind::Begin | ProbeKind::End | ProbeKind::Interval, _) => return Ok(None),
            (ProbeKind::Tracepoint, [category, name]) => {
                Attach::TracePoint { category: (*category).into(), name: (*name).into() }
            }
            (ProbeKind::RawTracepoint, [name]) => Attach::RawTracePoint { name: (*name).into() },
            (ProbeKind::BtfTracepoint, [name]) => Attach::BtfTracePoint { name: (*name).into() },
            (ProbeKind::Fentry, [name]) => Attach::Fentry { function: (*name).into() },
            (ProbeKind::Fexit, [name]) => Attach::Fexit { function: (*name).into() },
            (ProbeKind::Kprobe | ProbeKind::Kretprobe, [name, offset]) => {
                Attach::KProbe { function: (*name).into(), offset: offset.parse().map_err(|_| foreign())? }
            }
            (ProbeKind::Uprobe | ProbeKind::Uretprobe, [path, _, offset]) => {
                let offset = offset.parse().map_err(|_| foreign())?;
                Attach::UProbe { path: path.into(), offset, pid: scope.pid }
            }
            (ProbeKind::Cgroup, [_]) | (ProbeKind::Sockops, []) => Attach::Cgroup { path: cgroup(scope)? },
            (ProbeKind::Profile, ["hz", count]) => {
                Attach::Sample { every: SampleRate::Hz(count.parse().map_err(|_| foreign())?) }
            }
            (ProbeKind::Profile, _) => {
                let period = catalog::period(point).ok_or_else(foreign)?;
                let ns = u64::try_from(period.as_nanos()).map_err(|_| foreign())?;
                Attach::Sample { every: SampleRate::EveryNs(ns) }
            }
            _ => return Err(foreign()),
        }))
    }
}

fn cgroup(scope: &Scope) -> Result<PathBuf, LoadError> {
    if let Some(path) = &scope.cgroup {
        return Ok(path.clone());
    }
    mount_point().map_err(|error| match error {
        CgroupError::Unsupported(error) => error.into(),
        error => LoadError::Io { action: "find the root cgroup", source: std::io::Error::other(error) },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn check(header: &str, expect: Option<Attach>) {
        let mut words = header.split(':').map(str::to_string);
        let provider = words.next().unwrap();
        let points = Catalog::new().attach(&provider, &words.collect::<Vec<_>>()).unwrap();
        let scope = Scope { cgroup: Some("/cg".into()), pid: Some(7) };
        assert_eq!(Attach::of_point(&points[0], &scope).unwrap(), expect, "{header}");
    }

    #[test]
    fn each_kind_of_point_is_attached_or_run() {
        check("begin", None);
        check("interval:s:1", None);
        let name = || "sched_switch".to_string();
        check("t:sched:sched_switch", Some(Attach::TracePoint { category: "sched".into(), name: name() }));
        check("rt:sched_switch", Some(Attach::RawTracePoint { name: name() }));
        check("tp_btf:sched_switch", Some(Attach::BtfTracePoint { name: name() }));
        check("cgroup:connect4", Some(Attach::Cgroup { path: "/cg".into() }));
        check("sockops", Some(Attach::Cgroup { path: "/cg".into() }));
        check("profile:hz:99", Some(Attach::Sample { every: SampleRate::Hz(99) }));
        check("profile:ms:5", Some(Attach::Sample { every: SampleRate::EveryNs(5_000_000) }));
    }

    #[test]
    fn a_uprobe_carries_its_offset_and_the_process() {
        let points = Catalog::new().attach("uprobe", &["libc".into(), "getppid".into()]).unwrap();
        let scope = Scope { cgroup: None, pid: Some(7) };
        let Some(Attach::UProbe { path, offset, pid }) = Attach::of_point(&points[0], &scope).unwrap() else {
            unreachable!("a uprobe is a uprobe");
        };
        assert!(path.is_absolute() && offset > 0);
        assert_eq!(pid, Some(7));
    }

    #[test]
    fn a_point_that_nobody_gave_is_refused() {
        let mut points = Catalog::new().attach("rawtracepoint", &["sys_enter".into()]).unwrap();
        points[0].target.clear();
        assert!(matches!(Attach::of_point(&points[0], &Scope::default()), Err(LoadError::NoTarget(_))));
    }
}
