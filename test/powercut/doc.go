// Package powercut replays what a power cut leaves. It records the system calls
// of the vault and the web role with strace while people register, rebuilds for
// each acknowledged registration the disk as it would be after a power cut at
// that moment (what was written but not yet synced is gone), and looks whether
// the registration and its ledger entry are there.
//
// It needs strace and runs with the powercut tag: .ci/full does.
package powercut
