package notify

import (
	"strings"
	"testing"

	"tikakosh/internal/fault"
)

// fitting is one set of values for each template.
func fitting() map[string]map[string]string {
	return map[string]map[string]string{
		"code":     {"code": "012345", "host": "tika.example.test"},
		"booking":  {"date": "01-02-2026", "slot": "09:00AM-11:00AM", "people": "1234:0042,2345:0043", "centre": "City Hospital (East)"},
		"moved":    {"date": "01-02-2026", "slot": "AFTERNOON", "people": "1234:0042", "centre": "PHC No 2"},
		"reminder": {"date": "01-02-2026", "slot": "09:00AM-11:00AM", "people": "1234:0042", "centre": "नगर अस्पताल"},
		"cancel":   {"date": "01-02-2026", "people": "1234,2345", "centre": "X"},
		"undrawn":  {"date": "01-02-2026", "people": "1234,2345", "centre": "X"},
		"dose":     {"date": "01-02-2026", "centre": "City Hospital"},
		"opening":  {"date": "29-02-2028", "time": "07:05", "centre": "City Hospital"},
		"linked":   {},
		"apart":    {},

		"link-made": {},
		"left":      {},
		"removed":   {},
		"card-made": {},

		"taken-back": {},

		"answered": {"tracking": "1234-5678-9012-3456"},

		"break-glass": {"date": "29-02-2028", "time": "07:05", "centre": "City Hospital"},
		"relink":      {"date": "29-02-2028", "time": "07:05", "centre": "City Hospital"},

		"relink-stopped": {},
		"relink-moved":   {},

		"email-changed": {},
		"pin-changed":   {},
		"pin-ends":      {"date": "01-02-2026", "time": "07:05"},
		"newdevice":     {"date": "01-02-2026", "time": "07:05"},
		"code-device":   {"code": "012345"},
		"signin":        {"date": "01-02-2026", "time": "07:05"},
		"code-email":    {"code": "012345"},

		"code-partner":     {"code": "012345", "partner": "Test Clinic (North) & Sons"},
		"code-certificate": {"code": "012345", "partner": "Test Clinic"},
		"code-status":      {"code": "012345", "partner": "T2"},
		"code-centre":      {"code": "012345"},
		"places":           {"date": "29-02-2028", "centre": "City Hospital"},
	}
}

func TestCompose(t *testing.T) {
	if len(fitting()) != len(templates()) {
		t.Fatal("a template has no test")
	}
	for name, params := range fitting() {
		english, err := Compose(name, "en", params)
		if err != nil {
			t.Fatal(name, err)
		}
		for lang, hindi := range map[string]bool{"": false, "en-IN": false, "ta": false, "hil": false, "HI": false, "hi": true, "hi-IN": true} {
			text, err := Compose(name, lang, params)
			if err != nil || strings.ContainsAny(text, "{}") || (text == english) == hindi {
				t.Errorf("%s in %q: %q %v", name, lang, text, err)
			}
			for place, v := range params {
				for one := range strings.FieldsFuncSeq(v, func(r rune) bool { return place == "people" && (r == ',' || r == ':') }) {
					v = one
				}
				if !strings.Contains(text, v) {
					t.Errorf("%s in %q has no %s", name, lang, place)
				}
			}
			if err := (Message{ID: "x", To: number, Channel: "sms", Text: text}).check(); err != nil {
				t.Error(name, err)
			}
			if name == "code" && (!strings.HasPrefix(text, "012345 ") || !strings.HasSuffix(text, "\n\n@tika.example.test #012345")) {
				t.Errorf("%q", text)
			}
		}
	}
	for name, template := range templates() {
		text, err := Compose(name, "ur-IN", fitting()[name])
		if english, _ := Compose(name, "en", fitting()[name]); err != nil || (text == english) != (template.ur == "") {
			t.Errorf("%s in Urdu: %q %v", name, text, err)
		}
	}
	if text, err := Compose("code", "en", map[string]string{"code": "123456"}); err != nil || strings.Contains(text, "@") || strings.Contains(text, "\n") {
		t.Errorf("without a host: %q %v", text, err)
	}
}

// TestComposeTakesNoWords tries to get text into each place (R14).
func TestComposeTakesNoWords(t *testing.T) {
	for name, params := range fitting() {
		for place := range params {
			for _, bad := range []string{"http://evil.example/pay", "1\n2", "123456\nhttp://x", "०१२३४५", "1234567", "{code}", "{date}", "a b", "Asha", " ", "012345 ", "\u202e12345"} {
				if place == "partner" && (bad == "a b" || bad == "Asha") {
					continue // names of organisations, from the operator
				}
				if place == "centre" && (bad == "a b" || bad == "Asha") {
					continue // names of centres, from their managers
				}
				if place == "slot" && bad == "1234567" {
					continue // digits are times here
				}
				if place == "slot" && (bad == " " || bad == "012345 ") {
					continue
				}
				changed := map[string]string{}
				for k, v := range params {
					changed[k] = v
				}
				changed[place] = bad
				if place == "host" && bad == "1234567" {
					continue // a host name in form
				}
				text, err := Compose(name, "en", changed)
				if !fault.Is(err, fault.Internal) || text != "" {
					t.Errorf("%s: %s took %q", name, place, bad)
				} else if strings.Contains(err.Error(), bad) && strings.TrimSpace(bad) != "" {
					t.Errorf("%s: the error says %q", name, bad)
				}
			}
			missing := map[string]string{}
			for k, v := range params {
				if k != place {
					missing[k] = v
				}
			}
			if _, err := Compose(name, "en", missing); (err == nil) != (place == "host" || place == "centre") {
				t.Errorf("%s without %s: %v", name, place, err)
			}
		}
		more := map[string]string{"host": "evil.example", "name": "Asha"}
		for k, v := range params {
			more[k] = v
		}
		if _, err := Compose(name, "en", more); !fault.Is(err, fault.Internal) {
			t.Errorf("%s took a place it does not have", name)
		}
	}
	if _, err := Compose("linked", "en", map[string]string{"host": "evil.example"}); err == nil {
		t.Error("a host in a message without one")
	}
	if _, err := Compose("booking", "en", map[string]string{"date": "01-02-2026", "slot": "AFTERNOON", "people": "1234:0042", "host": "evil.example"}); err == nil {
		t.Error("a host in place of a code")
	}
	if _, err := Compose("nothing", "en", nil); !fault.Is(err, fault.Internal) {
		t.Error("an unknown template")
	}
	for _, bad := range []string{"31-02-2026", "1-2-2026", "2026-02-01"} {
		if isDate(bad) {
			t.Errorf("%s is a date", bad)
		}
	}
	for _, bad := range []string{"24:00", "7:05", "07:60", "07:05:00"} {
		if isTime(bad) {
			t.Errorf("%s is a time", bad)
		}
	}
}

func FuzzCompose(f *testing.F) {
	f.Add("code", "hi", "123456", "example.test")
	f.Add("booking", "en", "1234", "{code}")
	f.Fuzz(func(t *testing.T, name, language, code, host string) {
		text, err := Compose(name, language, map[string]string{"code": code, "host": host})
		if err != nil {
			return
		}
		if name != "code" || !strings.HasPrefix(text, code+" ") || len(text) > 400 || strings.Count(text, "\n") > 2 {
			t.Errorf("%q %q %q gave %q", name, code, host, text)
		}
	})
}
