//! The binary as it is built.

/// Bytes that only the module of the faults brings in.
const TRACES: [&str; 3] = ["orders no fault", "a fault was ordered here", "no fault can be made"];

/// Faults on order are in a build that asks for them and in no other.
#[test]
fn a_build_without_the_feature_has_no_trace_of_faults() {
    let binary = std::fs::read(env!("CARGO_BIN_EXE_talia-agent")).unwrap();
    for trace in TRACES {
        let found = binary.windows(trace.len()).any(|bytes| bytes == trace.as_bytes());
        assert_eq!(found, cfg!(feature = "fault-injection"), "{trace:?}");
    }
    // The search itself finds what is there.
    assert!(binary.windows(15).any(|bytes| bytes == b"gate ENVIRONMEN"));
}
