package budget

import (
	"bytes"
	"encoding/binary"

	"tikakosh/internal/fault"
)

// The first byte of each encoding.
const (
	memberForm  = 'M'
	historyForm = 'H'
	form        = 1
)

// maxPeople bounds what a stored day can name: far more than a day's work.
const maxPeople = 4096

func malformed() error { return fault.New(fault.Integrity, "budget", "the stored budget is malformed") }

// MarshalBinary is the one encoding of a member's day: nine bytes for each person.
func (m Member) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, 24+9*len(m.People))
	b = append(b, memberForm, form, byte(m.SteppedUp))
	for _, n := range []uint64{uint64(m.Day), uint64(m.NoDoses), uint64(m.BreakGlass), uint64(m.Sum), uint64(len(m.People))} {
		b = binary.AppendUvarint(b, n)
	}
	for _, p := range m.People {
		b = append(append(b, p.Tag[:]...), byte(p.Status))
	}
	return b, nil
}

// UnmarshalBinary reads MarshalBinary's encoding and nothing else (fault.Integrity).
func (m *Member) UnmarshalBinary(raw []byte) error {
	if len(raw) < 3 || raw[0] != memberForm || raw[1] != form || Cause(raw[2]) > PhantomOf {
		return malformed()
	}
	r := reader{rest: raw[3:]}
	out := Member{SteppedUp: Cause(raw[2]), Day: r.small(), NoDoses: r.small(), BreakGlass: r.small(), Sum: int64(r.small())}
	n := r.small()
	if r.bad || n > maxPeople || len(r.rest) != 9*n {
		return malformed()
	}
	for i := range n {
		p := Seen{Tag: Tag(r.rest[9*i : 9*i+8]), Status: Status(r.rest[9*i+8])}
		if p.Status < Open || p.Status > Confirmed || (i > 0 && bytes.Compare(out.People[i-1].Tag[:], p.Tag[:]) >= 0) {
			return malformed()
		}
		out.People = append(out.People, p)
	}
	*m = out
	return nil
}

// MarshalBinary is the one encoding of a history.
func (p History) MarshalBinary() ([]byte, error) {
	b := []byte{historyForm, form}
	for _, w := range p.Weeks {
		b = append(b, byte(len(w)))
		for _, n := range w {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	return b, nil
}

// UnmarshalBinary reads MarshalBinary's encoding and nothing else (fault.Integrity).
func (p *History) UnmarshalBinary(raw []byte) error {
	if len(raw) < 2 || raw[0] != historyForm || raw[1] != form {
		return malformed()
	}
	r := reader{rest: raw[2:]}
	var out History
	for i := range out.Weeks {
		n := r.small()
		if n > keptWeeks {
			return malformed()
		}
		for range n {
			out.Weeks[i] = append(out.Weeks[i], r.small())
		}
	}
	if r.bad || len(r.rest) > 0 {
		return malformed()
	}
	*p = out
	return nil
}

// reader reads numbers in their shortest form.
type reader struct {
	rest []byte
	bad  bool
}

// small reads a number below 2^31.
func (r *reader) small() int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n >= 1<<31 || len(binary.AppendUvarint(nil, n)) != size {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}
