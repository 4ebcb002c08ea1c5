package contract

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// TestVaccineFilter: a product by CoWIN's spelling, and by those that people
// type; another product is an empty list, not an error.
func TestVaccineFilter(t *testing.T) {
	s := server(t)
	c, day := s.Client(), s.Later()[0]
	pin, district := centreOf(s, day.Centre)
	for _, path := range []string{"findByPin?pincode=" + pin, "findByDistrict?district_id=" + district, "calendarByPin?pincode=" + pin, "calendarByDistrict?district_id=" + district} {
		get := func(vaccine, lang string) harness.Answer {
			return want(t, ask(t, c, "GET", searchPath+path+"&date="+day.Date+"&vaccine="+vaccine, nil, "Accept-Language", lang), 200)
		}
		for _, lang := range languages {
			exact := alike(t, path, func() harness.Answer { return get(url.QueryEscape(day.Vaccine), lang) },
				func() harness.Answer { return get(url.PathEscape(strings.ToLower(day.Vaccine)), lang) },
				func() harness.Answer { return get(url.QueryEscape(" "+day.Vaccine+" "), lang) })
			if !bytes.Contains(exact.Body, []byte(`"`+day.Session+`"`)) {
				t.Errorf("%s of %s: %s", path, day.Vaccine, exact.Text())
			}
			for _, other := range []string{"SPUTNIK V", "COVISHIELD", "COVAXIN"} {
				if a := get(url.QueryEscape(other), lang); other != day.Vaccine && bytes.Contains(a.Body, []byte(`"vaccine":"`+day.Vaccine+`"`)) {
					t.Errorf("%s of %s shows %s", path, other, day.Vaccine)
				}
			}
			if got := string(get("WATER", lang).Body); got != `{"sessions":[]}` && got != `{"centers":[]}` {
				t.Errorf("%s of a vaccine that nobody lists: %s", path, got)
			}
		}
	}
}
