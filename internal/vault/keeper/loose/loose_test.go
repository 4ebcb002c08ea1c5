package loose_test

import (
	"encoding/json"
	"testing"

	"tikakosh/internal/vault/keeper/loose"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{`"12"`: "12", `12`: "12", `"a b"`: "a b", `null`: "", `""`: "", `0`: "0"} {
		var got loose.Text
		if err := json.Unmarshal([]byte(in), &got); err != nil || string(got) != want {
			t.Errorf("%s is read as %q, %v", in, got, err)
		}
	}
	for _, in := range []string{`-1`, `1.5`, `1e3`, `true`, `[]`, `{}`, `9223372036854775808`} {
		var got loose.Text
		if err := json.Unmarshal([]byte(in), &got); err == nil {
			t.Errorf("%s is read as %q", in, got)
		}
	}
}
