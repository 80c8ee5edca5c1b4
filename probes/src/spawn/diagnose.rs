//! Says why exec failed, in the user's terms.
//!
//! The kernel's ENOENT means "no such command" as well as "the script's interpreter is missing"
//! (execve(2)); the file itself tells them apart. All of this runs only after a failure.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use object::read::elf::{ElfFile64, ProgramHeader};

use super::SpawnError;

/// How much of a file is read to find the interpreter that it names.
const HEAD_BYTES: u64 = 64 * 1024;

/// Turns the kernel's answer into the reason; `path` is the child's PATH where it has its own.
pub(super) fn explain(program: &OsStr, path: Option<&OsStr>, source: io::Error) -> SpawnError {
    let command = program.to_string_lossy().into_owned();
    let Some(file) = locate(program, path) else {
        return if is_bare(program) {
            SpawnError::NotInPath(command)
        } else {
            SpawnError::NoSuchFile(PathBuf::from(program))
        };
    };
    let why = match source.raw_os_error() {
        Some(libc::EACCES) if file.is_dir() => "it is a directory",
        Some(libc::EACCES) if !is_executable(&file) => "it has no execute permission",
        Some(libc::EACCES) => "permission denied (a directory above it, or a noexec mount)",
        // glibc's execvp runs such a file with /bin/sh; musl's gives this answer.
        Some(libc::ENOEXEC) => "it is neither a program for this machine nor a script with a #! line",
        Some(libc::ENOENT) => match interpreter(&file) {
            Some(interpreter) => {
                return SpawnError::NoInterpreter { path: file, interpreter };
            }
            None => "its interpreter does not exist",
        },
        _ => return SpawnError::Io { command, source },
    };
    SpawnError::NotExecutable { path: file, why }
}

fn is_bare(program: &OsStr) -> bool {
    !program.as_bytes().contains(&b'/')
}

/// Finds the file that exec would have tried: the first executable one, else the first one.
fn locate(program: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    if !is_bare(program) {
        let file = PathBuf::from(program);
        return file.exists().then_some(file);
    }
    let path = path.map(OsStr::to_os_string).or_else(|| env::var_os("PATH"))?;
    let found: Vec<PathBuf> = env::split_paths(&path).map(|dir| dir.join(program)).filter(|f| f.is_file()).collect();
    found.iter().find(|file| is_executable(file)).or(found.first()).cloned()
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
}

fn interpreter(file: &Path) -> Option<String> {
    let mut head = Vec::new();
    File::open(file).ok()?.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|b| *b == b'\n').next()?;
        let word = String::from_utf8_lossy(line);
        return word.split_whitespace().next().map(str::to_string);
    }
    let elf = ElfFile64::<object::Endianness>::parse(head.as_slice()).ok()?;
    let headers = elf.elf_program_headers();
    let name = headers.iter().find_map(|h| h.interpreter(elf.endian(), elf.data()).ok()?)?;
    Some(String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::cgroup::Cgroup;
    use crate::spawn::Spawn;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn check(program: &Path, expect: &str) {
        let cgroup = Cgroup::create().unwrap();
        let error = Spawn::new(&[program]).unwrap().start(&cgroup).unwrap_err();
        let dir = program.parent().unwrap().to_str().unwrap();
        let text = if dir.is_empty() { error.to_string() } else { error.to_string().replace(dir, "DIR") };
        assert_eq!(text, expect);
    }

    #[test]
    fn each_way_to_fail_has_its_own_words() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str, mode: u32| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        check(Path::new("no-such-command-here"), "command not found: no-such-command-here is in no directory of PATH");
        check(&dir.path().join("absent"), "command not found: there is no file DIR/absent");
        check(&file("plain", "x", 0o644), "cannot execute DIR/plain: it has no execute permission");
        check(
            &file("script", "#!/no/such/sh -e\n", 0o755),
            "cannot execute DIR/script: its interpreter /no/such/sh does not exist",
        );
        fs::create_dir(dir.path().join("sub")).unwrap();
        check(&dir.path().join("sub"), "cannot execute DIR/sub: it is a directory");
    }

    #[test]
    fn a_program_whose_loader_is_missing_names_the_loader() {
        let dir = tempfile::tempdir().unwrap();
        let mut elf = fs::read("/bin/true").unwrap();
        let at = elf.windows(7).position(|w| w == b"/lib64/" || w == b"/lib/ld").unwrap();
        elf[at + 1] = b'x';
        let path = dir.path().join("broken");
        fs::write(&path, &elf).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let cgroup = Cgroup::create().unwrap();
        let error = Spawn::new(&[&path]).unwrap().start(&cgroup).unwrap_err();
        assert!(error.to_string().contains("its interpreter /xib"), "{error}");
    }
}
