// Package budget decides how many people a member of staff may open on a place in
// the day's list alone, without anything the person showed (a "codeless" opening).
// It is pure: no clock, no store, no randomness. The vault hands in the state it keeps
// of the member, the centre, the district and the whole system, and an event; it gets
// the next state and a verdict, and stores the state in the transaction that writes
// the opening's ledger entry, so that a budget is never spent twice and never only
// "about" right.
//
// Three rules carry it (design.md 5, defence.md 4):
//
//   - An opening on what the person showed (their code, card or one-time code) is free,
//     earns nothing and is never refused here. So work never stops: whatever trips, the
//     next person is asked for their code.
//   - A codeless opening counts against the day's allowance of whoever opens. It earns
//     more only when that very person confirms the dose themself.
//   - What trips says what to do next to the worker, and why to those who watch.
package budget
