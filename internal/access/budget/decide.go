package budget

// Kind is what happens.
type Kind byte

// The events.
const (
	OpenShown Kind = 1 // an opening on what the person showed: code, card, one-time code
	OpenBare  Kind = 2 // a codeless opening: a place in the list and the member's own assertion
	Glass     Kind = 3 // a break-glass opening
	Phantom   Kind = 4 // a codeless opening of a person who does not exist
	GaveDose  Kind = 5 // a dose was recorded for the person, with or without their code
	GaveNone  Kind = 6 // the visit ended without a dose
	Confirm   Kind = 7 // the holder confirmed a dose that was recorded after a codeless opening
)

// Event is something that a member of staff, or for Confirm the holder, does.
type Event struct {
	Kind   Kind
	Person Tag
	Day    int   // civil day of the session at the centre, in days since 1970-01-01
	Hour   int64 // hours since 1970-01-01 00:00 UTC
}

// Outcome is the answer to an event.
type Outcome byte

// The outcomes. The zero value is none of them: a verdict nobody gave allows nothing.
const (
	Allow    Outcome = 1
	NeedCode Outcome = 2 // not so; with what the person shows it goes on at once
	Refuse   Outcome = 3
)

// Reason is the machine-readable ground of a verdict as the worker is told it.
type Reason string

// The reasons. Those that begin with Why are told to those who watch alone.
const (
	ReasonPending    Reason = "pending"     // too many opened and not closed
	ReasonAllowance  Reason = "allowance"   // the day's codeless openings are used up
	ReasonStepUp     Reason = "step-up"     // every opening of this member's day needs a code
	ReasonCentre     Reason = "centre"      // the centre's day is used up
	ReasonDistrict   Reason = "district"    // far more codeless openings in the district than in this hour of other weeks
	ReasonSystem     Reason = "system"      // the same of the whole system
	ReasonNoDose     Reason = "no-dose"     // too many closings without a dose
	ReasonBreakGlass Reason = "break-glass" // both openings of the shift are used
	ReasonNotOpen    Reason = "not-open"    // nobody opened this person today, or the visit has ended
	WhyOutcomes      Reason = "outcomes"    // of a step-up: openings that ended without a dose
	WhyPhantom       Reason = "phantom"     // of a step-up: a person who does not exist was opened
	WhyGlass         Reason = "glass"       // an opening by break-glass, which was allowed
)

// Next is the machine-readable word for what to do now.
type Next string

// What to do next.
const (
	NextAskCode Next = "ask-code" // ask the next person for their code, card or a one-time code
	NextClose   Next = "close"    // record what became of those who are open, or ask for codes meanwhile
	NextLeave   Next = "leave"    // leave the person open: the day ends it; ask the next ones for their code
	NextOthers  Next = "others"   // two other members of staff, or tomorrow
	NextNone    Next = ""
)

// Verdict is what becomes of an event.
type Verdict struct {
	Outcome Outcome
	Reason  Reason
	Next    Next
	Why     Reason // for those who watch: of a step-up its cause, else the reason
	Warn    bool   // the worker should close what is open soon
	Alert   bool   // the manager and the privacy officer are to see it
}

// Load is all that a decision reads and changes.
type Load struct {
	Member   Member
	Centre   Centre
	District Hour
	System   Hour
}

var allowed = Verdict{Outcome: Allow}

func needCode(r Reason, n Next) Verdict {
	return Verdict{Outcome: NeedCode, Reason: r, Next: n, Why: r}
}

func refuse(r Reason, n Next) Verdict { return Verdict{Outcome: Refuse, Reason: r, Next: n, Why: r} }

// Decide says what becomes of an event, and the state afterwards. The state of an event
// that is not allowed differs from the one before only where a new day or hour began.
// District and System must be of the event's hour (see Roll).
func (s Settings) Decide(l Load, e Event) (Load, Verdict) {
	l.Member, l.Centre = l.Member.onDay(e.Day), l.Centre.onDay(e.Day)
	switch e.Kind {
	case OpenShown:
		return l, allowed
	case OpenBare:
		return s.openBare(l, e)
	case Phantom:
		return s.phantom(l, e)
	case Glass:
		if l.Member.BreakGlass >= s.BreakGlass {
			v := refuse(ReasonBreakGlass, NextOthers)
			v.Alert = true
			return l, v
		}
		l.Member.BreakGlass++
		return l, Verdict{Outcome: Allow, Why: WhyGlass, Alert: true}
	case GaveDose:
		return s.gaveDose(l, e)
	case GaveNone:
		return s.gaveNone(l, e)
	case Confirm:
		return s.confirm(l, e)
	}
	return l, refuse(ReasonNotOpen, NextNone)
}

// openBare judges a codeless opening. Somebody who is open already may be looked at
// again: that shows nobody new.
func (s Settings) openBare(l Load, e Event) (Load, Verdict) {
	m := l.Member
	i, again := m.find(e.Person)
	if again && m.People[i].Status == Open {
		return l, allowed
	}
	if v := s.mayOpen(l, again); v.Outcome != Allow {
		return l, v
	}
	if !again {
		l.Centre.Codeless++
		l.District.N++
		l.System.N++
	}
	switch {
	case again && m.People[i].Status != NoDose: // a dose is no reason to be pending again
	default:
		l.Member = m.with(e.Person, Open)
	}
	return l, Verdict{Outcome: Allow, Warn: l.Member.Pending() >= s.PendingWarn}
}

// mayOpen is the order in which limits are held against a codeless opening: the member's
// own first, so that nobody is told of others' before their own.
func (s Settings) mayOpen(l Load, again bool) Verdict {
	m := l.Member
	switch {
	case m.SteppedUp != NoCause:
		v := needCode(ReasonStepUp, NextAskCode)
		v.Why = m.SteppedUp.why()
		return v
	case m.Pending() >= s.Pending:
		return needCode(ReasonPending, NextClose)
	case again:
		return allowed
	case m.Codeless() >= s.Allowance(m.Confirmed()):
		return needCode(ReasonAllowance, NextAskCode)
	case l.Centre.Codeless >= s.Centre+s.EarnTenths*l.Centre.Confirmed/10:
		v := needCode(ReasonCentre, NextAskCode)
		v.Alert = true
		return v
	case l.District.full():
		v := needCode(ReasonDistrict, NextAskCode)
		v.Alert = true
		return v
	case l.System.full():
		v := needCode(ReasonSystem, NextAskCode)
		v.Alert = true
		return v
	}
	return allowed
}

func (c Cause) why() Reason {
	if c == PhantomOf {
		return WhyPhantom
	}
	return WhyOutcomes
}

// phantom is a codeless opening of a person who does not exist. It is answered as any
// other one is: who opened it must not learn which one it was. Only an honest worker
// never does it, because nobody comes.
func (s Settings) phantom(l Load, e Event) (Load, Verdict) {
	l, v := s.openBare(l, e)
	if v.Outcome == Allow {
		l, v = stepUp(l, PhantomOf, v)
	}
	v.Why, v.Alert = WhyPhantom, true
	return l, v
}

func stepUp(l Load, c Cause, v Verdict) (Load, Verdict) {
	if l.Member.SteppedUp == NoCause {
		l.Centre.SteppedUp++
		v.Alert = true
		v.Why = c.why()
	}
	l.Member.SteppedUp = max(l.Member.SteppedUp, c)
	return l, v
}

// gaveDose closes a visit. A dose of somebody who was not opened codeless closes nothing
// and is not this package's to refuse.
func (s Settings) gaveDose(l Load, e Event) (Load, Verdict) {
	i, ok := l.Member.find(e.Person)
	if !ok || l.Member.People[i].Status != Open {
		return l, allowed
	}
	_, weight := s.weights()
	l.Member = l.Member.with(e.Person, Dosed)
	l.Member.Sum = max(0, l.Member.Sum+weight)
	return l, allowed
}

// gaveNone closes a visit without a dose: of these a day has so many, and they add to the
// sum that asks for codes.
func (s Settings) gaveNone(l Load, e Event) (Load, Verdict) {
	i, ok := l.Member.find(e.Person)
	if !ok || l.Member.People[i].Status != Open {
		return l, refuse(ReasonNotOpen, NextNone)
	}
	if l.Member.NoDoses >= s.NoDose {
		v := refuse(ReasonNoDose, NextLeave)
		v.Alert = true
		return l, v
	}
	weight, _ := s.weights()
	l.Member = l.Member.with(e.Person, NoDose)
	l.Member.NoDoses++
	l.Member.Sum = min(l.Member.Sum+weight, maxSum)
	if l.Member.Sum > int64(s.StepUpMilli)*1000 {
		return stepUp(l, Outcomes, allowed)
	}
	return l, allowed
}

// confirm is the holder's word that a dose was given. It earns once, on the day of the
// opening, and only after a codeless opening.
func (s Settings) confirm(l Load, e Event) (Load, Verdict) {
	i, ok := l.Member.find(e.Person)
	if !ok || l.Member.Day != e.Day || l.Member.People[i].Status != Dosed {
		return l, allowed
	}
	l.Member = l.Member.with(e.Person, Confirmed)
	if l.Centre.Day == e.Day {
		l.Centre.Confirmed++
	}
	return l, allowed
}
