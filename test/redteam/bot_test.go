package redteam

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// plays are the rows of the table in docs/BOT.md. Those that are not long run always.
func plays() []play {
	bare := []string{"phantoms"} // so that each other rule is seen alone
	out := []play{
		{Name: "code", Web: true, Long: true},
		{Name: "code", Off: []string{"lookup"}, Least: 30, Long: true},
		{Name: "roster", Roster: true, Habit: habitDose, Long: true},
		{Name: "roster", Roster: true, Habit: habitDose, Base: bare, Off: []string{"confirmed-only"}, Least: 35},
		{Name: "code", Boss: true},
		{Name: "code", Days: 5},
		{Name: "code", Days: 5, Off: []string{"glass-cap"}, Least: 20},
	}
	if !full() {
		return out
	}
	return append(out,
		play{Name: "code", Long: true},
		play{Name: "code", Off: []string{"staff-evidence"}, Least: 30},
		play{Name: "code", Web: true, Off: []string{"vault-proof"}, Least: 30},
		play{Name: "roster", Roster: true, Habit: habitDose, Base: bare},
		play{Name: "roster", Roster: true, Habit: habitDose, Base: bare, Honest: 10},
		play{Name: "roster", Roster: true, Web: true, Habit: habitDose, Long: true},
		play{Name: "roster", Roster: true, Habit: habitLeave, Base: bare},
		play{Name: "roster", Roster: true, Habit: habitLeave, Base: bare, Off: []string{"pending-cap"}},
		play{Name: "roster", Roster: true, Habit: habitClose, Base: bare},
		play{Name: "roster", Roster: true, Habit: habitClose, Base: bare, Off: []string{"step-up"}},
		play{Name: "roster", Roster: true, Habit: habitClose, Base: bare, Off: []string{"step-up", "no-dose-cap"}},
		play{Name: "roster", Roster: true, Habit: habitRace, Base: bare},
		play{Name: "roster", Roster: true, Habit: habitRace, Base: bare, Off: []string{"budget-strict"}, Least: 35},
		play{Name: "roster", Roster: true, Web: true, Habit: habitDose, Off: []string{"vault-proof"}, Least: 35},
	)
}

// botResult is one row of docs/BOT.md.
type botResult struct {
	Play                            play
	Obtained, Bound                 int
	Served, Passed                  int
	Registered, Numbers             int
	Requests                        int
	Ways                            string
	Hour                            int // in which the last of them was obtained, from 1; 0: nobody
	Alarm                           int // hour from which on the centre's manager sees that something tripped; 0: never
	Told, Known                     int // of the obtained whose household the test knows, those who find it in their history
	Honest, HonestOpened, HonestOTP int
	Seconds                         float64
	Days                            int
	Began, Stopped                  int // re-links
}

func (p play) test() string {
	name := p.Name
	if p.Web {
		name += ", captured web role"
	}
	if p.Boss {
		name += ", the manager's session"
	}
	if p.Days > 1 {
		name += fmt.Sprintf(", %d days with re-links", p.Days)
	}
	if p.Habit != "" {
		name += ", " + p.Habit
	}
	if p.Honest > 0 {
		name += fmt.Sprintf(", beside %d who confirm", p.Honest)
	}
	if len(p.Off) > 0 {
		name += ", without " + strings.Join(p.Off, " and ")
	} else if slices.Contains(p.Base, "phantoms") {
		name += ", no phantoms"
	}
	return name
}

// TestR100Bot plays the "Telegram bot" for a day of 24 hours in each mode, with and without
// controls, and counts different people obtained beyond those who came to the stolen
// session's owner. With TIKAKOSH_BOT=FILE it writes the results there and the table of
// docs/BOT.md.
func TestR100Bot(t *testing.T) {
	t.Parallel()
	r := shared.rows["R100"]
	if r.Test != t.Name() {
		t.Fatalf("docs/redteam.json says test %q for R100", r.Test)
	}
	var mu sync.Mutex
	var results []botResult
	off := map[string]bool{}
	for _, p := range plays() {
		for _, c := range p.Off {
			off[c] = true
		}
		if len(p.Off) > 0 && !both() {
			continue
		}
		t.Run(p.test(), func(t *testing.T) {
			if !full() {
				t.Parallel()
			}
			got := playDay(t, p)
			mu.Lock()
			defer mu.Unlock()
			results = append(results, got)
		})
	}
	for _, c := range r.Controls {
		if !off[c] {
			t.Errorf("no play of R100 goes without %s", c)
		}
	}
	t.Cleanup(func() {
		if file := os.Getenv("TIKAKOSH_BOT"); file != "" && !t.Failed() {
			if err := publishBot(file, results); err != nil {
				t.Error(err)
			}
		}
	})
}

// playDay plays one day and judges it.
func playDay(t *testing.T, p play) botResult {
	t.Helper()
	begin, z := time.Now(), daySize(p.Long)
	o := harness.Options{People: z.people}
	if o.Ablate = slices.Concat(p.Base, p.Off); len(o.Ablate) > 0 {
		o.Tags = harness.Ablation
	}
	o.Unseeded = z.people > 1000
	s := harness.Start(t, &shared.builder, o)
	for end := time.Now().Add(10 * time.Minute); o.Unseeded && !strings.Contains(s.Log(), "demo data ready"); time.Sleep(time.Second) {
		if time.Now().After(end) {
			t.Fatal("the demo's people are not there")
		}
	}
	b := newBot(t, s, p, z)
	b.run()
	got := botResult{Play: p, Obtained: len(b.got), Bound: p.bound(), Served: len(b.served) - b.passed, Passed: b.passed, Registered: len(b.real), Numbers: z.numbers, Requests: b.asked,
		Ways: b.ways(), Honest: b.honest.people, HonestOpened: b.honest.opened, HonestOTP: b.honest.opened - b.honest.byCode, Seconds: time.Since(begin).Seconds()}
	got.Alarm, got.Days = b.alarm, max(1, p.Days)
	got.Began, got.Stopped = b.moved()
	if got.Obtained > 0 {
		got.Told, got.Known = b.told()
		got.Hour = slices.Index(b.hours, got.Obtained) + 1
	}
	evidence := fmt.Sprintf("%d people obtained beyond %d who came, bound %d; %d requests in %d hours with %d numbers on each list; %d re-links began, %d were stopped; honest work: %d of %d opened", got.Obtained, got.Served, got.Bound,
		got.Requests, 24*got.Days, z.numbers, got.Began, got.Stopped, got.HonestOpened, got.Honest)
	t.Logf("R100: %s: %s (%s; answers %v) (%.1f s)", p.test(), evidence, got.Ways, b.statuses, got.Seconds)
	if testing.Verbose() {
		t.Log(b.refusals)
	}
	shared.note(outcome{ID: "R100", Case: p.test(), Off: p.Off, Succeeded: got.Obtained > got.Bound, Evidence: evidence, Seconds: got.Seconds})
	switch {
	case len(p.Off) == 0 && got.Obtained > got.Bound:
		t.Errorf("more people than the bound: %s", evidence)
	case got.Obtained < p.Least:
		t.Errorf("without %v at least %d people must be obtained, so this proves nothing: %s; %v", p.Off, p.Least, evidence, b.refusals)
	}
	return got
}

const (
	botBegins = "<!-- the play begins -->"
	botEnds   = "<!-- the play ends -->"
)

// publishBot writes the results as JSON to file, over those of the same plays that are
// there, and all of them as a table into docs/BOT.md.
func publishBot(file string, results []botResult) error {
	var before []botResult
	if old, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(old, &before); err != nil {
			return err
		}
	}
	results = append(slices.DeleteFunc(before, func(o botResult) bool {
		return slices.ContainsFunc(results, func(n botResult) bool { return n.Play.test() == o.Play.test() })
	}), results...)
	slices.SortStableFunc(results, func(a, b botResult) int { return rank(a.Play) - rank(b.Play) })
	raw, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(raw, '\n'), 0o644); err != nil {
		return err
	}
	root, err := harness.Root()
	if err != nil {
		return err
	}
	page := filepath.Join(root, "docs", "BOT.md")
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	head, rest, ok1 := strings.Cut(string(old), botBegins)
	_, after, ok2 := strings.Cut(rest, botEnds)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no place for the table", page)
	}
	now := time.Now().UTC()
	table := botTable(results, now)
	dated := fmt.Sprintf("# The \"Telegram bot\" (R100) on %s\n\n%s, %d cores, %s. What is played, and what the columns are: [BOT.md](../BOT.md).\n\n%s", now.Format("2 January 2006"), runtime.Version(), runtime.NumCPU(), runtime.GOOS+"/"+runtime.GOARCH, table)
	if err := os.WriteFile(filepath.Join(root, "docs", "results", now.Format(time.DateOnly)+"-bot.md"), []byte(dated), 0o644); err != nil {
		return err
	}
	return os.WriteFile(page, []byte(head+botBegins+"\n"+table+botEnds+after), 0o644)
}

// rank orders the rows: by mode, what is released first, then with the longest lists.
func rank(p play) (n int) {
	for i, later := range []bool{p.Roster, len(p.Off) > 0, len(p.Base) > 1, !p.Long, p.Web} {
		if later {
			n += 32 >> i
		}
	}
	return n
}

// botTable renders the results for people.
func botTable(results []botResult, at time.Time) string {
	var b strings.Builder
	var z botResult
	for _, r := range results {
		if r.Numbers >= z.Numbers && r.Registered > z.Registered {
			z = r
		}
	}
	fmt.Fprintf(&b, "Played on %s, %s, 24 simulated hours each where no days are named. Rows of %d numbers on each list have %d people registered.\n\n", at.UTC().Format("2 January 2006"), runtime.Version(), z.Numbers, z.Registered)
	b.WriteString("| Mode | The thief | Build | Control off | Mobiles, id numbers | People obtained | Bound | By | Last in hour | Manager warned in hour | In their history | Requests | Honest work by code |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		thief, build, off := "the session and its passkey", "as released", "none"
		if r.Play.Web {
			thief += ", the web role and the registry database"
		}
		if r.Play.Boss {
			thief += ", the session of the centre's manager"
		}
		if r.Play.Days > 1 {
			thief += fmt.Sprintf("; %d days, with re-links (%d began, %d were stopped)", r.Play.Days, r.Began, r.Stopped)
		}
		if r.Play.Habit != "" {
			thief += "; " + r.Play.Habit
		}
		if r.Play.Honest > 0 {
			thief += fmt.Sprintf("; beside %d people who came, were opened from the list and confirmed", r.Play.Honest)
		}
		if len(r.Play.Off)+len(r.Play.Base) > 0 {
			build = "test"
			if len(r.Play.Base) > 0 {
				build += " (goes without " + strings.Join(r.Play.Base, ", ") + ")"
			}
		}
		if len(r.Play.Off) > 0 {
			off = "`" + strings.Join(r.Play.Off, "`, `") + "`"
		}
		hour := func(n int) string {
			if n == 0 {
				return "-"
			}
			return fmt.Sprint(n)
		}
		obtained := fmt.Sprint(r.Obtained)
		if r.Obtained > r.Bound {
			obtained = "**" + obtained + "**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d each | %s | %d | %s | %s | %s | %d of %d | %d | %d of %d |\n", r.Play.Name, thief, build, off, r.Numbers, obtained, r.Bound, r.Ways, hour(r.Hour), hour(r.Alarm), r.Told, r.Known, r.Requests, r.HonestOpened, r.Honest)
	}
	return b.String()
}
