package edge

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzPINField: what is taken is a text of digits, as it was written, and short.
func FuzzPINField(f *testing.F) {
	for _, s := range []string{`"482913"`, `"000001"`, `482913`, `"12 34"`, `"\u0031"`, `null`, `""`, `"1234567890123"`, `["1"]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var in struct {
			PIN pinField `json:"pin"`
		}
		if json.Unmarshal([]byte(`{"pin":`+s+`}`), &in) != nil || in.PIN == "" {
			return
		}
		if got := string(in.PIN); len(got) > 12 || strings.Trim(got, "0123456789") != "" || !strings.Contains(s, `"`+got+`"`) {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

func TestPINField(t *testing.T) {
	for text, want := range map[string]string{`"482913"`: "482913", `"000001"`: "000001", `482913`: "", `"12 34"`: "", `"\u0031"`: "", `null`: "", `"1234567890123"`: "", `["1"]`: "", `"१२३४५६"`: ""} {
		var p pinField
		if err := json.Unmarshal([]byte(text), &p); (err == nil) != (want != "") || string(p) != want {
			t.Errorf("%s: %q, %v", text, p, err)
		}
	}
}
