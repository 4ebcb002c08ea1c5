package portal

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/dates"
	"tikakosh/internal/vault"
)

// openings is a person's history: what they did themselves lies before what others did.
type openings struct {
	OwnRecords
	entries []vault.Opening // newest first
}

func (o openings) OpeningsOf(_ context.Context, _ vault.Holder, _ id.Person, before int64, limit int) (vault.Openings, error) {
	var out vault.Openings
	for _, e := range o.entries {
		if (before == 0 || e.Index < before) && len(out.Entries) < limit {
			out.Entries = append(out.Entries, e)
		}
	}
	return out, nil
}

// TestSeen: what others opened is found behind what the household did itself; nobody is said to
// have opened nothing while older entries wait; a use of a link is a stranger's.
func TestSeen(t *testing.T) {
	s, _ := newPapers(t)
	seat := strings.TrimPrefix(seated[strings.Index(seated, seatCookie):], seatCookie+"=")
	path := "/p/" + (&Ctx{seat: strings.Split(seat, ";")[0]}).handle(firstRef) + "/seen"
	own := func(n int) (out []vault.Opening) {
		for i := range n {
			out = append(out, vault.Opening{Index: int64(10_000 - i), At: 1, Kind: "opening", View: "booking view", Role: "holder", Reason: "what comes next"})
		}
		return out
	}
	for _, c := range []struct {
		name, want, not string
		entries         []vault.Opening
	}{
		{"nobody", "Nobody else has opened this record", "Older entries", own(3)},
		{"a vaccinator behind many of their own", "A vaccinator", "Nobody else", append(own(500), vault.Opening{Index: 7, At: 1, Kind: "opening", View: "dose history at the centre", Role: "vaccinator", Place: "PHC Rampur"})},
		{"more of their own than one page looks at", "Older entries", "Nobody else has opened this record", own(seenPage*seenAsks + 1)},
		{"a reason of the registry's own", "To give and write down a dose", ">dose<", []vault.Opening{{Index: 7, At: 1, Kind: "opening", View: "eligibility", Role: "vaccinator", Reason: "dose"}}},
		{"the same word, typed by staff", "dose", "To give and write down a dose", []vault.Opening{{Index: 7, At: 1, Kind: "break-glass", View: "eligibility", Role: "vaccinator", Reason: "dose"}}},
		{"a link", "Somebody with a link that you made", "what comes next", append(own(1), vault.Opening{Index: 7, At: 1, Kind: "opening", View: "certificate", Role: "holder", Reason: vault.ShareUsed})},
	} {
		s.cfg.Records = openings{entries: c.entries}
		w := get(s, path, "Cookie", seated)
		if text := w.Body.String(); w.Code != 200 || !strings.Contains(text, c.want) || strings.Contains(text, c.not) {
			t.Errorf("%s: %d, want %q and not %q: %s", c.name, w.Code, c.want, c.not, text)
		}
	}
}

// TestSeenOwn: what somebody opened themselves is shown when they ask for it.
func TestSeenOwn(t *testing.T) {
	s, _ := newPapers(t)
	path := "/p/" + (&Ctx{seat: seat}).handle(firstRef) + "/seen"
	s.cfg.Records = openings{entries: []vault.Opening{{Index: 7, At: 1, Kind: "opening", View: "booking view", Role: "holder"}}}
	for address, shown := range map[string]bool{path: false, path + "?own=1": true} {
		if w := get(s, address, "Cookie", seated); w.Code != 200 || strings.Contains(w.Body.String(), "Name, status and doses were shown") != shown {
			t.Errorf("%s: %d, want %v", address, w.Code, shown)
		}
	}
}

// TestTypedDay: days as people type them, with the digits of their script.
func TestTypedDay(t *testing.T) {
	for typed, want := range map[string]string{"03-01-2026": "03-01-2026", "3/1/2026": "03-01-2026", "३.१.२०२६": "03-01-2026", "31-02-2026": "", "2026": "", "": "", "a-b-c": "", "1-1-26": ""} {
		if got, no := dates.Typed(typed, civil.Of(noon())); (want == "") == (no == "") || got != want {
			t.Errorf("%q: %q %q", typed, got, no)
		}
	}
}

// FuzzTypedDay: what is read as a day is one, and what is cut to be a reason stays text.
func FuzzTypedDay(f *testing.F) {
	for _, s := range []string{"03-01-2026", "३/१/२०२६", "٣ ١ ٢٠٢٦", "99-99-9999", "---"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		if day, no := dates.Typed(typed, civil.Of(noon())); no == "" && len(day) != len("03-01-2026") {
			t.Errorf("%q: %q", typed, day)
		}
		if cut := short(typed); len(cut) > 200 || (utf8.ValidString(typed) && !utf8.ValidString(cut)) {
			t.Errorf("%q is cut to %q", typed, cut)
		}
	})
}
