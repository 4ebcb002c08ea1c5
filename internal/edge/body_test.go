package edge

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"tikakosh/internal/fault"
)

// sample has a field of each kind that our routes read.
type sample struct {
	Name   personal `json:"name"`
	Number loose    `json:"number"`
	List   []loose  `json:"list"`
	Plain  string   `json:"plain"`
	Count  int64    `json:"count"`
	OTP    otpField `json:"otp"`
}

func TestDecodeJSON(t *testing.T) {
	deep := func(n int) string { return `{"x":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}` }
	fields := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"f%d":0,`, i)
		}
		return "{" + strings.TrimSuffix(b.String(), ",") + "}"
	}
	for _, c := range []struct {
		name, body    string
		cowin, strict bool // taken by CoWIN's routes, by ours
	}{
		{"all", `{"name":"किरण","number":5,"list":["1",2],"plain":"x","count":1}`, true, true},
		{"empty object", ` {} `, true, true},
		{"null fields", `{"name":null,"number":null,"list":null}`, true, true},
		{"unknown field", `{"secret":"x"}`, true, false},
		{"unknown object", `{"x":{"y":[1,{"z":null}]}}`, true, false},
		{"name in another case", `{"NAME":"x"}`, true, true}, // encoding/json takes it; twice it is refused
		{"depth 8", deep(8), true, false},
		{"depth 9", deep(9), false, false},
		{"64 fields", fields(64), true, false},
		{"65 fields", fields(65), false, false},
		{"twice", `{"name":"a","name":"b"}`, false, false},
		{"twice, other case", `{"name":"a","Name":"b"}`, false, false},
		{"twice, long s", `{"list":[],"liſt":[]}`, false, false},
		{"twice, Kelvin sign", `{"k":1,"K":1}`, false, false},
		{"twice, escaped", `{"name":"a","n\u0061me":"b"}`, false, false},
		{"twice inside", `{"x":{"a":1,"a":1}}`, false, false},
		{"once in each", `{"x":[{"a":1},{"a":1}]}`, true, false},
		{"no body", ``, false, false},
		{"null", `null`, false, false},
		{"list", `[{}]`, false, false},
		{"text", `"x"`, false, false},
		{"two", `{}{}`, false, false},
		{"trailing", `{}]`, false, false},
		{"unfinished", `{"name":"a"`, false, false},
		{"NaN", `{"count":NaN}`, false, false},
		{"too large for the field", `{"count":9223372036854775808}`, false, false},
		{"fraction", `{"count":1.5}`, false, false},
		{"UTF-8", "{\"plain\":\"\xff\"}", false, false},
		{"BOM", "\ufeff{}", false, false},
		{"loose negative", `{"number":-1}`, false, false},
		{"loose fraction", `{"number":1.0}`, false, false},
		{"loose exponent", `{"number":1e3}`, false, false},
		{"loose 64 bits", `{"number":9223372036854775808}`, false, false},
		{"loose truth", `{"number":true}`, false, false},
		{"loose object", `{"number":{}}`, false, false},
		{"loose list", `{"list":[["1"]]}`, false, false},
		{"name as number", `{"name":1}`, false, false},
		{"code in clear", `{"otp":"123456"}`, false, false},
		{"code as list", `{"otp":["` + strings.Repeat("0", 64) + `"]}`, false, false},
		{"code", `{"otp":"` + strings.Repeat("0", 64) + `"}`, true, true},
	} {
		for strict, ok := range map[bool]bool{false: c.cowin, true: c.strict} {
			var v sample
			err := decodeJSON([]byte(c.body), &v, strict)
			if (err == nil) != ok || (err != nil && !fault.Is(err, fault.Invalid)) {
				t.Errorf("%s, strict %v: %v", c.name, strict, err)
			}
		}
	}
	var v sample
	if err := decodeJSON([]byte(`{"name":"a\"b\u00e9","number":10000000000001,"list":["x",7]}`), &v, true); err != nil ||
		v.Name != `a"bé` || v.Number != "10000000000001" || v.List[0] != "x" || v.List[1] != "7" {
		t.Errorf("%+v, %v", v, err)
	}
}

// FuzzDecodeBody: no body breaks the decoder; what it takes is one JSON object
// in UTF-8 of bounded depth, without a name twice, and refusals have one kind.
func FuzzDecodeBody(f *testing.F) {
	for _, body := range bodies() {
		f.Add([]byte(body), true)
	}
	for _, s := range []string{"", "{", `{"a":1,"a":2}`, `{"number":1e9}`, "{\"name\":\"\xff\"}", strings.Repeat("[", 100), `{"list":[[[[[[[[]]]]]]]]}`, `{"otp":null}`, `{"name":"\ud800"}`} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, strict bool) {
		var v sample
		if err := decodeJSON(raw, &v, strict); err != nil {
			if !fault.Is(err, fault.Invalid) || fault.CodeOf(err) == "" {
				t.Errorf("%q: %v", raw, err)
			}
			return
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(raw, &m); err != nil || !utf8.Valid(raw) {
			t.Fatalf("%q was taken: %v", raw, err)
		}
		if len(m) > maxFields || depth(raw) > maxDepth {
			t.Errorf("%q was taken", raw)
		}
		seen := map[string]bool{}
		for name := range m {
			if seen[fold(name)] {
				t.Errorf("%q has %q twice", raw, name)
			}
			seen[fold(name)] = true
			switch fold(name) {
			case "name", "number", "list", "plain", "count", "otp":
			default:
				if strict {
					t.Errorf("the unknown field %q was taken", name)
				}
			}
		}
	})
}

// depth of the brackets of valid JSON.
func depth(raw []byte) int {
	most, now, text := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			now++
			most = max(most, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return most
}
