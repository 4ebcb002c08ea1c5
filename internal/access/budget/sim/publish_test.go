package sim_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/access/budget/sim"
)

// With -publish FILE the tables between the two marks of FILE are written anew:
//
//	go test ./internal/access/budget/sim -run TestPublish -timeout 60m -staffdays 50000 -publish ../../../../docs/BUDGETS.md
var (
	staffDays = flag.Int("staffdays", 60, "honest staff-days for each row that TestPublish plays")
	publish   = flag.String("publish", "", "file whose tables TestPublish writes anew")
)

const (
	beginMark = "<!-- simulation begins -->\n"
	endMark   = "<!-- simulation ends -->\n"
)

// TestPublish plays what docs/BUDGETS.md shows.
func TestPublish(t *testing.T) {
	s := budget.DefaultSettings()
	var b strings.Builder
	fmt.Fprintf(&b, "Played on %s: %s honest staff-days for each row, the same seeds everywhere.\n\n", time.Now().UTC().Format("2 January 2006"), thousands(*staffDays))
	theModel(&b, s)
	theCurve(t, &b, s)
	theAttackers(&b, s)
	if *publish == "" {
		return
	}
	page, err := os.ReadFile(*publish)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), beginMark)
	_, tail, ok2 := strings.Cut(rest, endMark)
	if !ok || !ok2 {
		t.Fatal("the page has no marks for the tables")
	}
	if err := os.WriteFile(*publish, []byte(head+beginMark+b.String()+endMark+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

func theModel(b *strings.Builder, s budget.Settings) {
	m := sim.Days(s, sim.Published(), *staffDays)
	share := func(n int) string { return percent(n, m.Days) }
	fmt.Fprintf(b, "### The model against the published figures\n\n| | defence.md 4.2 | here |\n|---|---|---|\n")
	for _, r := range [][3]string{
		{"openings per dose, median; one day in a thousand", "1.05; 1.17", fmt.Sprintf("%.2f; %.2f", float64(m.PerDose.Median)/100, float64(m.PerDose.P999)/100)},
		{"open at once, median; one day in a thousand; most", "12; 25; 32", fmt.Sprintf("%d; %d; %d", m.Pending.Median, m.Pending.P999, m.Pending.Max)},
		{fmt.Sprintf("days with more than %d open at once", s.Pending), "0.04 %", share(m.OverPending)},
		{fmt.Sprintf("days that warn (%d open)", s.PendingWarn), "1.8 %", share(m.Warned)},
		{"visits without a dose, one day in a thousand", "19", fmt.Sprint(m.NoDoses.P999)},
		{fmt.Sprintf("days with more than %d", s.NoDose), "0.02 %", share(m.OverNoDose)},
		{"staff-days for each false step-up", "205", fmt.Sprint(m.Days / max(1, m.SteppedUp))},
	} {
		fmt.Fprintf(b, "| %s | %s | %s |\n", r[0], r[1], r[2])
	}
	b.WriteString("\n")
}

func theCurve(t *testing.T, b *strings.Builder, s budget.Settings) {
	b.WriteString("### How often the next person is asked for a code\n\n| Holders who confirm | median minutes until they do | people asked | days with anybody asked | first asked after (median of those days) | by allowance | by step-up | by pending cap | doses or openings with a code refused |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, rate := range []float64{1, 0.9, 0.8, 0.7, 0.5, 0.3, 0.1, 0} {
		for _, delay := range []float64{5, 30, 180} {
			if rate == 0 && delay != 5 {
				continue
			}
			m := sim.Published()
			m.ConfirmRate, m.ConfirmDelay = rate, delay
			r := sim.Days(s, m, *staffDays)
			if r.CodeRefused > 0 {
				t.Errorf("rate %.1f, delay %.0f: %d refused although a code was shown", rate, delay, r.CodeRefused)
			}
			after := "-"
			if r.FirstAsked >= 0 {
				after = fmt.Sprintf("%.0f min", r.FirstAsked)
			}
			wait := fmt.Sprintf("%.0f", delay)
			if rate == 0 {
				wait = "-"
			}
			fmt.Fprintf(b, "| %.0f %% | %s | %s | %s | %s | %s | %s | %s | %d |\n", 100*rate, wait, percent(r.Asked, r.Opens), percent(r.DaysAsked, r.Days), after,
				percent(r.Reasons[budget.ReasonAllowance], r.Opens), percent(r.Reasons[budget.ReasonStepUp], r.Opens), percent(r.Reasons[budget.ReasonPending], r.Opens), r.CodeRefused)
		}
	}
	b.WriteString("\n")
}

func theAttackers(b *strings.Builder, s budget.Settings) {
	trials := max(200, *staffDays/10)
	b.WriteString("### Attackers\n\n| The attacker's share of the openings, each closed \"no dose\" | caught after (defence.md 4.2) | here, median | nine in ten | before the closings are used up |\n|---|---|---|---|---|\n")
	for _, c := range [][2]int{{100, 4}, {50, 5}, {25, 7}, {10, 18}} {
		got := sim.Mixed(s, c[0], trials)
		fmt.Fprintf(b, "| %d %% | %d | %d | %d | %.0f %% |\n", c[0], c[1], got.Median, got.P90, float64(got.Before)/10)
	}
	b.WriteString("\n| A stolen session for a day, with a second one for break-glass | strangers opened | bound | stopped by | told that day |\n|---|---|---|---|---|\n")
	for _, c := range []struct {
		what   string
		style  sim.Style
		served int
	}{
		{"opens as fast as it goes, closes nothing", sim.NeverCloses, 0},
		{"closes each \"no dose\"", sim.NoDoses, 0},
		{"records a made-up dose for each", sim.MadeUp, 0},
		{"the same, beside 50 honest people who all confirm", sim.Beside, 50},
		{"the same, beside 150", sim.Beside, 150},
	} {
		got := sim.Attack(s, c.style, c.served)
		told := "no"
		if got.Alert {
			told = "yes"
		}
		fmt.Fprintf(b, "| %s | %d | %d | %s | %s |\n", c.what, got.People, s.Bound(c.served), got.Why, told)
	}
}

func percent(n, of int) string {
	p := 100 * float64(n) / float64(max(1, of))
	if p > 0 && p < 1 {
		return fmt.Sprintf("%.2f %%", p)
	}
	return fmt.Sprintf("%.1f %%", p)
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
