use super::*;
use crate::steps::testing::check;

const ROOT: Privilege = Privilege::Root;
const SUDO: Privilege = Privilege::Sudo;
const HOSTILE: &str = "-it's \"ü\" $x\n";

#[test]
fn copy_minimal() {
    check("copy_tree__minimal", &CopyTree::new(ROOT, "/a", "/b"));
}
#[test]
fn copy_everything() {
    check("copy_tree__everything", &CopyTree::new(SUDO, "/a", "/b"));
}
#[test]
fn copy_hostile() {
    check("copy_tree__hostile", &CopyTree::new(ROOT, HOSTILE, HOSTILE));
}
#[test]
fn folders_minimal() {
    check("make_folders__minimal", &MakeFolders::new(ROOT, ["/a"]));
}
#[test]
fn folders_everything() {
    check("make_folders__everything", &MakeFolders::new(SUDO, ["/a", "/a/b"]));
}
#[test]
fn folders_hostile() {
    check("make_folders__hostile", &MakeFolders::new(ROOT, [HOSTILE, "*"]));
}
#[test]
fn certificates_minimal() {
    check("update_certificates__minimal", &UpdateCertificates::new(ROOT, "/t"));
}
#[test]
fn certificates_everything() {
    check("update_certificates__everything", &UpdateCertificates::new(SUDO, "/t"));
}
#[test]
fn certificates_hostile() {
    check("update_certificates__hostile", &UpdateCertificates::new(ROOT, HOSTILE));
}
#[test]
fn clean_minimal() {
    check("apt_clean__minimal", &AptClean::new(ROOT, "/t"));
}
#[test]
fn clean_everything() {
    check("apt_clean__everything", &AptClean::new(SUDO, "/t"));
}
#[test]
fn clean_hostile() {
    check("apt_clean__hostile", &AptClean::new(ROOT, HOSTILE));
}
#[test]
fn pack_minimal() {
    check("pack__minimal", &Pack::new(ROOT, "/t/root", "/t/image.tar"));
}
#[test]
fn pack_everything() {
    check("pack__everything", &Pack::new(SUDO, "/t/root", "/t/image.tar"));
}
#[test]
fn pack_hostile() {
    check("pack__hostile", &Pack::new(ROOT, HOSTILE, HOSTILE));
}
