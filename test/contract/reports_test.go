package contract

import (
	"encoding/json"
	"strings"

	"tikakosh/test/harness"
)

// reports asks for the dashboard: of the country, a state, a district, a day before
// there was anything; and again by ETag.
func (r *tour) reports(c *harness.Client) {
	r.Helper()
	for _, path := range []string{"/v1/reports/v2/getPublicReports", "/v1/reports/v2/getVacPublicReports"} {
		var tag string
		for _, query := range []string{"", "?state_id=9", "?state_id=9&district_id=141&date=2030-01-01", "?date=2020-01-01", "?state_id=999", "?state_id=&district_id=&date="} {
			a := r.good(c, "GET", path+query, nil)
			if a.Header.Get("Cache-Control") != "public, max-age=300" || a.Header.Get("ETag") == "" {
				r.Errorf("%s%s: %v", path, query, a.Header)
			}
			var out struct {
				Areas []struct{} `json:"getBeneficiariesGroupBy"`
				Time  string     `json:"timestamp"`
			}
			if err := json.Unmarshal(a.Body, &out); err != nil || len(out.Areas) < map[string]int{"?state_id=9": 5, "?state_id=9&district_id=141&date=2030-01-01": 5, "?state_id=999": 0}[query] || (strings.HasSuffix(query, "=") || query == "") && len(out.Areas) < 30 || (query == "?date=2020-01-01") != (out.Time == "") && query == "?date=2020-01-01" {
				r.Errorf("%s%s: %v, %s", path, query, err, a.Text())
			}
			if query == "" {
				tag = a.Header.Get("ETag")
			}
		}
		if a := c.Must("GET", path, nil, "If-None-Match", tag); a.Status != 304 || len(a.Body) != 0 {
			r.Errorf("%s by its tag: %s", path, a.Text())
		}
	}
}
