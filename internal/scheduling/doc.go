// Package scheduling keeps centres, sessions, places and bookings.
//
// A place belongs to the centre, an appointment to the person, and leave to
// book to the vault; no transaction spans two of them. Booking is therefore
// hold, leave, bind, confirm, with a fence: a place is held in the centre's
// bucket under a number that becomes the appointment number, the vault grants
// or refuses everybody at once, each person's appointment is bound in their own
// bucket, and the hold is confirmed. Every step is idempotent under that
// number. A hold that is not confirmed in time is ended by anyone: writing a
// fence row where an appointment is missing makes a late bind lose, and when
// no fence could be written, everybody was bound and the hold is confirmed.
// The arbiter of capacity is one conditional update; nothing else decides it.
//
// Requests for one session stand in a queue of this process and are decided in
// the order they came, many in one transaction (queue.go); bookings of different
// people share calls to the vault and commits (rush.go). An appointment is moved
// by a hold that names the old one (move.go). Where a session has a time of a
// draw, requests before it are entries, and the worker gives the places in an
// order that anybody can compute again (draw.go, drawing.go).
//
// A session has two pools of places. Pool 1 is for first doses, pool 2 for
// every further dose: the second pool is what a centre keeps back for people
// who have begun, and a third dose is one of theirs; counting it in pool 1
// would let it crowd out people without any dose.
package scheduling
