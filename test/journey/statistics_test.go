package journey

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// dashboard is what is read of the public report.
type dashboard struct {
	Top struct {
		Sites struct{ Total int64 }
		Reg   struct {
			Total, Today int64
		} `json:"registration"`
		Vac struct {
			Total    int64 `json:"total_doses"`
			First    int64 `json:"tot_dose_1"`
			Today    int64 `json:"today"`
			TodayOne int64 `json:"today_dose_one"`
		} `json:"vaccination"`
	} `json:"topBlock"`
	Time string `json:"timestamp"`
}

// TestDashboard: doses of a day are on the dashboard when the day has ended and the
// worker has asked, rounded down, and not before.
func TestDashboard(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	read := func() (d dashboard) {
		t.Helper()
		a := s.Client().Must("GET", "/v1/reports/v2/getPublicReports", nil)
		if err := json.Unmarshal(a.Body, &d); err != nil || a.Status != 200 {
			t.Fatalf("%v, %s", err, a.Text())
		}
		return d
	}
	begin := s.Now().In(time.FixedZone("IST", 19800))
	for i := range 3 {
		c, mobile := s.Holder()
		for j := range 4 {
			s.Vaccinate(c, mobile, c.Enrol("Asha Test "+string(rune('A'+4*i+j))))
		}
	}
	if d := read(); d.Top.Vac.Today != 0 {
		t.Errorf("shown on the day itself: %+v", d)
	}
	s.SetClock(24 * time.Hour)
	want := begin.Format("2006-01-02") + "T23:59:59+05:30"
	var d dashboard
	for range 100 {
		if d = read(); d.Time == want {
			break
		}
		time.Sleep(200 * time.Millisecond)
		s.Forward(61 * time.Second) // the answer before is kept for a minute
	}
	if d.Time != want {
		t.Fatalf("not published: %+v\n%s", d, s.Log())
	}
	if n := d.Top.Vac.TodayOne; n != 10 && n != 20 {
		t.Errorf("twelve doses are shown as %d: %+v", n, d)
	}
	if d.Top.Vac.Total%10 != 0 || d.Top.Vac.First < 10 || d.Top.Reg.Total < 10 || d.Top.Sites.Total != 2 {
		t.Errorf("%s", fmt.Sprintf("%+v", d))
	}
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
}
