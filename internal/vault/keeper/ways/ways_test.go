package ways_test

import (
	"fmt"
	"testing"
	"time"

	"tikakosh/internal/vault/keeper/ways"
	"tikakosh/internal/vault/state"
)

const (
	day   = int64(24 * time.Hour / time.Millisecond)
	start = int64(1_790_000_000_000)
)

// family is a household with somebody in it.
func family() *state.Household {
	return &state.Household{Created: start, Seen: start, Members: []state.Member{{Slot: 1, State: state.Active}}}
}

// TestJudge is the table of ADR 39: who waits, who is told, what is stored.
func TestJudge(t *testing.T) {
	type step struct {
		key     string
		after   int64 // days
		want    ways.Verdict
		enrolls bool
	}
	for name, steps := range map[string][]step{
		"a client without a key, always": {{"", 0, ways.Verdict{}, false}, {"", 1, ways.Verdict{}, false}, {"", 179, ways.Verdict{Changed: true}, false}},
		"the first device, and a second": {
			{"a", 0, ways.Verdict{New: true, Changed: true}, true},
			{"a", 1, ways.Verdict{Known: true}, true},
			{"b", 0, ways.Verdict{Cooling: true, New: true, Changed: true}, false},
			{"b", 0, ways.Verdict{Cooling: true}, false},
			{"b", 1, ways.Verdict{Changed: true}, true},
			{"b", 0, ways.Verdict{Known: true}, true},
		},
		"a device, then a client": {
			{"a", 0, ways.Verdict{New: true, Changed: true}, true},
			{"", 0, ways.Verdict{}, false}, // for a day nobody waits: it may be a thief's
			{"b", 0, ways.Verdict{New: true, Changed: true}, true},
			{"", 1, ways.Verdict{Cooling: true, New: true, Changed: true}, false},
			{"", 1, ways.Verdict{Changed: true}, true},
			{"", 1, ways.Verdict{Known: true}, true},
		},
		"a device after 91 days is new to one that was there meanwhile": {
			{"a", 0, ways.Verdict{New: true, Changed: true}, true},
			{"b", 1, ways.Verdict{Cooling: true, New: true, Changed: true}, false},
			{"b", 2, ways.Verdict{Changed: true}, true},
			{"b", 60, ways.Verdict{Known: true, Changed: true}, true},
			{"a", 30, ways.Verdict{Cooling: true, New: true, Changed: true}, false},
		},
		"the only device after 91 days is itself": {
			{"a", 0, ways.Verdict{New: true, Changed: true}, true},
			{"a", 91, ways.Verdict{New: true, Known: true, Changed: true}, true},
		},
		"a partner": {
			{"partner/x", 0, ways.Verdict{}, false},
			{"a", 0, ways.Verdict{New: true, Changed: true}, true},
			{"partner/x", 1, ways.Verdict{Cooling: true, New: true, Changed: true}, false},
			{"partner/x", 1, ways.Verdict{Changed: true}, true},
		},
	} {
		h, now := family(), start
		for i, s := range steps {
			now += s.after * day
			if got := ways.Judge(h, s.key, now); got != s.want {
				t.Errorf("%s, step %d: %+v, want %+v", name, i, got, s.want)
			}
			trusted := false
			for _, w := range ways.Listed(*h, now) {
				trusted = trusted || (w.Key == s.key && w.Until == 0)
			}
			if trusted != s.enrolls {
				t.Errorf("%s, step %d: enrolled %v", name, i, trusted)
			}
		}
	}
}

// TestFirstRegistration: where nobody is registered nothing waits and nobody is told.
func TestFirstRegistration(t *testing.T) {
	h := &state.Household{Created: start}
	for _, key := range []string{"a", "", "b"} {
		if v := ways.Judge(h, key, start); v.Cooling || v.New {
			t.Errorf("%q: %+v", key, v)
		}
	}
	if v := ways.Judge(h, "a", start); !v.Known || v.Changed {
		t.Errorf("again: %+v", v)
	}
}

// TestPIN: with a PIN time alone makes no device trusted, and a client without a key waits
// each time; without it both are.
func TestPIN(t *testing.T) {
	h := family()
	ways.Judge(h, "a", start)
	h.PIN = &state.HousePIN{MAC: []byte{1}}
	for n, after := range []int64{0, 2, 30} {
		if v := ways.Judge(h, "b", start+after*day); !v.Cooling {
			t.Errorf("b, %d: %+v", n, v)
		}
		if v := ways.Judge(h, "", start+after*day); !v.Cooling || v.New {
			t.Errorf("client, %d: %+v", n, v)
		}
	}
	if !ways.Trust(h, "b", start+30*day) || ways.Trust(h, "", start) || ways.Trust(h, "b", start) {
		t.Error("trust")
	}
	if v := ways.Judge(h, "b", start+31*day); !v.Known || v.Cooling {
		t.Errorf("b, trusted: %+v", v)
	}
	h.PIN.Ends = start + 32*day
	if !ways.HasPIN(*h, start+31*day) || ways.HasPIN(*h, start+32*day) {
		t.Error("the PIN's end")
	}
	if v := ways.Judge(h, "c", start+32*day); !v.Cooling || !v.New {
		t.Errorf("c: %+v", v)
	}
	if v := ways.Judge(h, "c", start+34*day); v.Cooling {
		t.Errorf("c, after the PIN: %+v", v)
	}
}

// TestRoom: whoever only waits pushes no trusted device out.
func TestRoom(t *testing.T) {
	h := family()
	for n := range ways.MaxWays {
		key := fmt.Sprint("own", n)
		ways.Judge(h, key, start)
		ways.Trust(h, key, start+int64(n))
	}
	for n := range 3 {
		key := fmt.Sprint("thief", n)
		if v := ways.Judge(h, key, start+day); !v.Cooling || !v.New || v.Changed || ways.Has(*h, key) {
			t.Errorf("no room: %+v", v)
		}
	}
	for n := range ways.MaxWays {
		if !ways.Has(*h, fmt.Sprint("own", n)) {
			t.Errorf("own%d was pushed out", n)
		}
	}
	if !ways.Trust(h, "thief0", start+day) || ways.Has(*h, "own0") || len(h.Ways) != ways.MaxWays {
		t.Error("one that was confirmed takes the oldest one's place")
	}
	if !ways.End(h, "own3") || ways.End(h, "own3") {
		t.Error("end")
	}
	ways.Judge(h, "w1", start+day)
	ways.Judge(h, "w2", start+day+1)
	if ways.Has(*h, "w1") || !ways.Has(*h, "w2") {
		t.Error("of two that wait the newer one stays")
	}
}

// TestAlone: half a year, and a week for what was not written down.
func TestAlone(t *testing.T) {
	h := family()
	ways.Judge(h, "a", start)
	for _, c := range []struct {
		key  string
		days int64
		want bool
	}{{"", 180, false}, {"", 187, false}, {"", 188, true}, {"b", 188, true}, {"a", 188, false}, {"a", 700, false}, {"partner/x", 188, true}} {
		if got := ways.Alone(*h, c.key, 0, start+c.days*day); got != c.want {
			t.Errorf("%q after %d days: %v", c.key, c.days, got)
		}
	}
	ways.Judge(h, "b", start+day) // waits, and never was anything else
	if !ways.Alone(*h, "b", 0, start+188*day) {
		t.Error("a device that never was trusted speaks for its household")
	}
	ways.Judge(h, "a", start+8*day)
	if ways.Alone(*h, "", 0, start+190*day) || !ways.Alone(*h, "", 0, start+196*day) {
		t.Error("a code in between")
	}
	old := &state.Household{Created: start, Members: h.Members}
	if ways.Alone(*old, "", start+1000*day, start+1100*day) || !ways.Alone(*old, "", start+1000*day, start+1188*day) {
		t.Error("households of before")
	}
	if ways.Alone(state.Household{Created: start}, "", 0, start+1000*day) {
		t.Error("nobody is registered")
	}
}

func TestParsePIN(t *testing.T) {
	for pin, want := range map[string]bool{"": false, "12345": false, "1234567890123": false, "12345a": false, "１２３４５６": false, "000000": false, "123456": false, "987654": false,
		"890123": false, "210987": false, "121212": false, "123123": false, "482913": true, "112233": true, "123457": true, "00000012": true} {
		if err := ways.ParsePIN(pin); (err == nil) != want {
			t.Errorf("%q: %v", pin, err)
		}
	}
}

func FuzzParsePIN(f *testing.F) {
	for _, s := range []string{"482913", "121212", "", "123456", "999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if ways.ParsePIN(s) != nil {
			return
		}
		if len(s) < ways.PINLeast || len(s) > ways.PINMost {
			t.Fatalf("%q is taken", s)
		}
		same := true
		for i := range len(s) {
			if s[i] < '0' || s[i] > '9' {
				t.Fatalf("%q is taken", s)
			}
			same = same && s[i] == s[0]
		}
		if same {
			t.Fatalf("%q is taken", s)
		}
	})
}
