package budget

import (
	"bytes"
	"slices"
)

// Tag names a person within one member's day: a keyed digest that the vault makes, so
// that the state names nobody.
type Tag [8]byte

// Status is how far the visit of one codeless opening has come.
type Status byte

// The statuses. Open is the only one that is pending.
const (
	Open      Status = 1 // opened, neither a dose nor a reason why not
	Dosed     Status = 2 // a dose was recorded, which nobody has confirmed
	NoDose    Status = 3 // closed without a dose
	Confirmed Status = 4 // the holder confirmed the dose
)

// Seen is one person whom a member of staff opened codeless today.
type Seen struct {
	Tag    Tag
	Status Status
}

// Cause is why every further opening of a member's day needs a code.
type Cause byte

// The causes of a step-up.
const (
	NoCause   Cause = 0
	Outcomes  Cause = 1 // too many openings ended without a dose
	PhantomOf Cause = 2 // opened a person who does not exist
)

// maxSum is where the cumulative sum stops: above every threshold that Validate takes.
const maxSum = 1 << 30

// Member is what is kept of one member of staff for one session day. The zero value is
// a member who has done nothing yet. It is a value: Decide returns a new one.
type Member struct {
	Day        int    // days since 1970-01-01
	People     []Seen // by tag; everybody opened codeless, break-glass apart
	NoDoses    int    // closings "no dose"
	BreakGlass int
	Sum        int64 // the cumulative sum, in millionths
	SteppedUp  Cause
}

// Centre is what is kept of one centre for one day.
type Centre struct {
	Day       int
	Codeless  int // codeless openings, of whomever by whomever
	Confirmed int
	SteppedUp int // members whose day needs codes
}

// Pending is how many people are opened and not closed.
func (m Member) Pending() int { return m.count(Open) }

// Confirmed is how many codeless doses of the day their holders confirmed.
func (m Member) Confirmed() int { return m.count(Confirmed) }

// Codeless is how many different people were opened without anything they showed.
func (m Member) Codeless() int { return len(m.People) }

func (m Member) count(s Status) (n int) {
	for _, p := range m.People {
		if p.Status == s {
			n++
		}
	}
	return n
}

func (m Member) find(t Tag) (int, bool) {
	return slices.BinarySearchFunc(m.People, t, func(p Seen, t Tag) int { return bytes.Compare(p.Tag[:], t[:]) })
}

// with returns the member's day with one person at a status.
func (m Member) with(t Tag, s Status) Member {
	i, ok := m.find(t)
	if ok {
		m.People = slices.Clone(m.People)
		m.People[i].Status = s
		return m
	}
	m.People = slices.Insert(slices.Clone(m.People), i, Seen{t, s})
	return m
}

// onDay returns the state as it is on a day: a later day begins anew. An earlier one does
// not, so that a clock that was set back gives nothing away.
func (m Member) onDay(day int) Member {
	if day > m.Day {
		return Member{Day: day}
	}
	return m
}

func (c Centre) onDay(day int) Centre {
	if day > c.Day {
		return Centre{Day: day}
	}
	return c
}
