use super::*;
use crate::steps::testing::check;

const HOSTILE: &str = "-it's \"ü\" $HOME\n";

#[test]
fn make_minimal() {
    check("make_scratch__minimal", &MakeScratch::new("/var/tmp/x"));
}
#[test]
fn make_spaces() {
    check("make_scratch__spaces", &MakeScratch::new("/var/tmp/a b"));
}
#[test]
fn make_hostile() {
    check("make_scratch__hostile", &MakeScratch::new(HOSTILE));
}
#[test]
fn remove_minimal() {
    check("remove_trees__minimal", &RemoveTrees::new(Privilege::Root, ["/var/tmp/x"]));
}
#[test]
fn remove_everything() {
    let remove = RemoveTrees::new(Privilege::Sudo, ["/var/tmp/x", "/var/tmp/y"]);
    check("remove_trees__everything", &remove.named("remove the working folders"));
}
#[test]
fn remove_hostile() {
    check("remove_trees__hostile", &RemoveTrees::new(Privilege::Root, [HOSTILE, "*"]));
}
#[test]
fn unmount_minimal() {
    check("unmount__minimal", &Unmount::new(Privilege::Root, "/var/tmp/x"));
}
#[test]
fn unmount_everything() {
    check("unmount__everything", &Unmount::new(Privilege::Sudo, "/var/tmp/x"));
}
#[test]
fn unmount_hostile() {
    check("unmount__hostile", &Unmount::new(Privilege::Root, HOSTILE));
}
#[test]
fn left_behind_minimal() {
    check("left_behind__minimal", &LeftBehind::new("/var/tmp", "talia-install-"));
}
#[test]
fn left_behind_no_prefix() {
    check("left_behind__no_prefix", &LeftBehind::new("/", ""));
}
#[test]
fn left_behind_hostile() {
    check("left_behind__hostile", &LeftBehind::new(HOSTILE, "it's\n"));
}
#[test]
fn only_own_folders_of_ended_processes_are_left_behind() {
    let folder = std::env::temp_dir().join(format!("talia-left-{}", std::process::id()));
    let folder = Utf8PathBuf::from_path_buf(folder).expect("a path of UTF-8");
    let own = std::process::id();
    for name in [format!("x-{own}-base"), "x-0-base".into(), "x-no".into(), "y-0".into()] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    // A name that only looks like one: a link could lead anywhere.
    std::os::unix::fs::symlink("/", folder.join("x-0-link")).unwrap();
    let step = LeftBehind::new(&folder, "x-");
    let Action::Work { work, .. } = step.action() else { panic!("it is work") };
    let left = work().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(left, [folder.join("x-0-base")]);
}
