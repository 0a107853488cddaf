//! How much memory this process may still take.

use std::fs;
use std::path::Path;

/// Bytes of main memory that this process can still allocate: what the system has available, or less where a control group
/// limits it, as in a container or under a batch system. `None` where the system doesn't say.
pub fn available() -> Option<u64> {
    available_under(Path::new("/"))
}

/// The same, with the files of the system under another folder.
fn available_under(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(|line| left_in_group(root, line));
    of_system(root).into_iter().chain(limits).min()
}

/// `MemAvailable`, which counts memory that caches would give back.
fn of_system(root: &Path) -> Option<u64> {
    let info = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The files of a version of control groups.
struct Files {
    /// From the root of the system.
    mount: &'static str,
    limit: &'static str,
    usage: &'static str,
    /// The name in `memory.stat` of what caches would give back.
    reclaimable: &'static str,
}

const V1: Files = Files {
    mount: "sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};
const V2: Files = Files {
    mount: "sys/fs/cgroup",
    limit: "memory.max",
    usage: "memory.current",
    reclaimable: "inactive_file",
};

/// What is left of the memory of a group and of those that it is in. `line` is one of `/proc/self/cgroup`:
/// `0::/path` in version 2, `4:memory:/path` in version 1.
fn left_in_group(root: &Path, line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let files = match controllers {
        "" => V2,
        controllers if controllers.split(',').any(|controller| controller == "memory") => V1,
        _ => return None,
    };
    let mount = root.join(files.mount);
    let groups = Path::new(path.trim_start_matches('/')).ancestors();
    groups.filter_map(|group| left_in(&mount.join(group), &files)).min()
}

/// What is left in one group; `None` where it has no limit. In a container the path may be one of the machine outside.
fn left_in(group: &Path, files: &Files) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    let stat = read("memory.stat").unwrap_or_default();
    let reclaimable = stat.lines().find_map(|line| {
        let (name, bytes) = line.split_once(' ')?;
        (name == files.reclaimable).then(|| bytes.parse::<u64>().ok())?
    });
    let used = number(files.usage)?.saturating_sub(reclaimable.unwrap_or(0));
    Some(number(files.limit)?.saturating_sub(used))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system with these files.
    fn system(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        available_under(root.path())
    }

    const MEMINFO: (&str, &str) =
        ("proc/meminfo", "MemTotal:       16000 kB\nMemAvailable:    9000 kB\n");

    #[test]
    fn without_a_limit_it_is_what_the_system_has_available() {
        assert_eq!(system(&[]), None);
        assert_eq!(system(&[MEMINFO]), Some(9000 * 1024));
        let unlimited = [
            MEMINFO,
            ("proc/self/cgroup", "0::/a\n"),
            ("sys/fs/cgroup/a/memory.max", "max\n"),
            ("sys/fs/cgroup/a/memory.current", "5\n"),
        ];
        assert_eq!(system(&unlimited), Some(9000 * 1024));
    }

    #[test]
    fn the_tightest_limit_of_the_groups_above_counts() {
        let limited = [
            MEMINFO,
            ("proc/self/cgroup", "0::/job/step\n"),
            ("sys/fs/cgroup/job/memory.max", "700000\n"),
            ("sys/fs/cgroup/job/memory.current", "300000\n"),
            ("sys/fs/cgroup/job/memory.stat", "anon 5\ninactive_file 100000\n"),
            ("sys/fs/cgroup/job/step/memory.max", "max\n"),
            ("sys/fs/cgroup/job/step/memory.current", "200000\n"),
        ];
        assert_eq!(system(&limited), Some(500_000));
    }

    #[test]
    fn groups_of_version_1_and_of_a_container_are_understood() {
        // In a container the files are at the mount, whatever the path says.
        let limited = [
            MEMINFO,
            ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "800000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "900000\n"),
            ("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 250000\n"),
        ];
        assert_eq!(system(&limited), Some(150_000));
    }
}
