// Package powercut replays what a power cut leaves. It records the system calls
// of the vault and the web role with strace while people register, look, book and
// are vaccinated, rebuilds for each acknowledgement the disk as it would be after
// a power cut at that moment (what no completed sync covers is gone), and looks
// whether what was acknowledged and its ledger entries are there. The last of
// these disks is then started.
//
// It needs strace and runs with the powercut tag: .ci/full does.
package powercut
