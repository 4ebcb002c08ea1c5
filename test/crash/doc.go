// Package crash ends a role of the real binary at every commit step of enrolment,
// booking, dose, cancellation and removal: just before a COMMIT ("failed"), just
// after it ("failed but persisted"), and at the named points between two steps.
// Then nothing acknowledged may be lost, a repetition with the same key gives one
// result, what nobody repeats is finished by the worker, and `ledger audit` is
// clean.
package crash
