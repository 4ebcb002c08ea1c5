package redteam

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// reportPath is the dashboard.
const reportPath = "/v1/reports/v2/getPublicReports"

// counts are all numbers about people in an answer of the dashboard, by their place.
func counts(t *testing.T, a harness.Answer) map[string]int64 {
	t.Helper()
	var v struct {
		Top struct {
			Registration, Vaccination map[string]int64
		} `json:"topBlock"`
		Areas []struct {
			Name                             string `json:"state_name"`
			Total, Totally_vaccinated, Today int64
		} `json:"getBeneficiariesGroupBy"`
		Time string `json:"timestamp"`
	}
	if err := json.Unmarshal(a.Body, &v); err != nil || a.Status != 200 {
		t.Fatalf("%v, %s", err, a.Text())
	}
	out := map[string]int64{}
	for k, n := range v.Top.Registration {
		out["registration "+k] = n
	}
	for k, n := range v.Top.Vaccination {
		out["vaccination "+k] = n
	}
	for _, x := range v.Areas {
		out[x.Name+" total"], out[x.Name+" fully"], out[x.Name+" today"] = x.Total, x.Totally_vaccinated, x.Today
	}
	out["time"] = 0
	if v.Time != "" {
		day, err := time.Parse(time.RFC3339, v.Time)
		if err != nil {
			t.Fatal(err)
		}
		out["time"] = day.Unix()
	}
	return out
}

// later moves the server's clock on.
func later(s *harness.Server, d time.Duration) { s.Forward(d) }

// awaitReport waits until a whole day after the given time is published.
func awaitReport(t *testing.T, s *harness.Server, after time.Time) {
	t.Helper()
	for range 300 {
		c := counts(t, s.Client().Must("GET", reportPath+"?date="+s.Now().Format("2006-01-02"), nil))
		if c["time"] >= after.Unix() {
			return
		}
		time.Sleep(100 * time.Millisecond)
		later(s, 61*time.Second) // the answer before may be in the cache
	}
	t.Fatalf("no report\n%s", s.Log())
}

// TestR96SmallCells: a programme so small that every figure is of fewer than ten
// people. The attacker reads the country's and every state's figures of two days, and
// compares them. internal/statistics has the harness that reasons over many days.
func TestR96SmallCells(t *testing.T) {
	run(t, "R96", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, mobile := s.Holder()
		s.Vaccinate(c, mobile, c.Enrol("Asha Test"))
		begin := s.Now()
		later(s, 24*time.Hour)
		awaitReport(t, s, begin)
		looked, told := 0, ""
		for _, query := range []string{"", "&state_id=9", "&date=" + begin.Format("2006-01-02"), "&date=" + begin.AddDate(0, 0, -1).Format("2006-01-02")} {
			for name, n := range counts(t, s.Client().Must("GET", reportPath+"?x="+query, nil)) {
				if name == "time" {
					continue
				}
				looked++
				if n%10 != 0 && (told == "" || strings.Contains(name, "today")) {
					told = fmt.Sprintf("; %s is exactly %d", name, n)
				}
			}
		}
		return told != "", fmt.Sprintf("%d figures read%s", looked, told)
	}})
}
