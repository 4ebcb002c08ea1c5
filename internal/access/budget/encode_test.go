package budget_test

import (
	"bytes"
	"reflect"
	"testing"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/fault"
)

// TestEncoding: a state is read as it was written, whatever happened, is small, and
// nothing else is read.
func TestEncoding(t *testing.T) {
	b := newBench(t)
	check := func() []byte {
		t.Helper()
		raw, err := b.l.Member.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var got budget.Member
		if err := got.UnmarshalBinary(raw); err != nil || !reflect.DeepEqual(got, b.l.Member) {
			t.Fatalf("%v: %+v became %+v", err, b.l.Member, got)
		}
		return raw
	}
	check()
	for i := range 30 {
		b.allow(budget.OpenBare, i)
		b.allow([]budget.Kind{budget.GaveDose, budget.GaveDose, budget.OpenShown}[i%3], i)
		check()
	}
	b.does(budget.Phantom, 40)
	if raw := check(); len(raw) > 24+9*31 {
		t.Fatalf("%d bytes", len(raw))
	}
	var past budget.History
	for i := range 12 {
		h := budget.Hour{Hour: now + int64(i)*week, N: i * 1000, Limit: 1}
		_, past, _ = b.s.Roll(budget.OfSystem, h, past, h.Hour+1)
	}
	raw, err := past.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var got budget.History
	if err := got.UnmarshalBinary(raw); err != nil || !reflect.DeepEqual(got, past) {
		t.Fatalf("%v: a history is not read as written", err)
	}
	if len(raw) > 2000 {
		t.Fatalf("a history of 12 weeks has %d bytes", len(raw))
	}
}

// TestEncodingRefuses: what is cut, longer, out of order or in another form is no state.
func TestEncodingRefuses(t *testing.T) {
	b := newBench(t)
	b.allow(budget.OpenBare, 1)
	b.allow(budget.OpenBare, 2)
	good, _ := b.l.Member.MarshalBinary()
	n := len(good)
	swapped := append(append(append([]byte{}, good[:n-18]...), good[n-9:]...), good[n-18:n-9]...)
	twice := append(append(append([]byte{}, good[:n-18]...), good[n-9:]...), good[n-9:]...)
	status := append([]byte{}, good...)
	status[n-1] = 9
	cause := append([]byte{}, good...)
	cause[2] = 3
	for name, raw := range map[string][]byte{"empty": {}, "cut": good[:n-1], "longer": append(append([]byte{}, good...), 0), "order": swapped, "twice": twice,
		"status": status, "cause": cause, "form": append([]byte{'M', 2}, good[2:]...), "long number": {'M', 1, 0, 0x80, 0x00, 0, 0, 0, 0}, "history": {'H', 1}} {
		var m budget.Member
		if err := m.UnmarshalBinary(raw); !fault.Is(err, fault.Integrity) {
			t.Errorf("%s: %v", name, err)
		}
		var h budget.History
		if err := h.UnmarshalBinary(raw); !fault.Is(err, fault.Integrity) {
			t.Errorf("%s as a history: %v", name, err)
		}
	}
}

// FuzzDecode: what is read is written again byte for byte.
func FuzzDecode(f *testing.F) {
	m, _ := budget.Member{Day: today, NoDoses: 3, Sum: 99, People: []budget.Seen{{Tag: budget.Tag{1}, Status: budget.Open}}}.MarshalBinary()
	f.Add(m)
	h, _ := budget.History{}.MarshalBinary()
	f.Add(h)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m budget.Member
		if m.UnmarshalBinary(raw) == nil {
			if again, _ := m.MarshalBinary(); !bytes.Equal(raw, again) {
				t.Fatalf("%x was read, %x is written", raw, again)
			}
		}
		var h budget.History
		if h.UnmarshalBinary(raw) == nil {
			if again, _ := h.MarshalBinary(); !bytes.Equal(raw, again) {
				t.Fatalf("%x was read, %x is written", raw, again)
			}
		}
	})
}
