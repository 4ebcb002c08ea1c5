package vault

import (
	"strings"
	"testing"

	"tikakosh/internal/fault"
)

func TestParseEmail(t *testing.T) {
	for in, want := range map[string]string{"a@b.example": "a@b.example", " Asha.Test+x@Mail.EXAMPLE ": "Asha.Test+x@mail.example", "o'neil_1@a-b.c.example": "o'neil_1@a-b.c.example",
		strings.Repeat("a", 64) + "@b.example": strings.Repeat("a", 64) + "@b.example"} {
		if got, err := ParseEmail(in); err != nil || got != want {
			t.Errorf("%q: %q %v", in, got, err)
		}
	}
	for _, in := range []string{"", "@", "a", "a@", "@b.example", "a@b", "a@b.", "a@.b", "a@-b.example", "a@b-.example", "a@b..example", ".a@b.example", "a.@b.example", "a..b@b.example", "a@b@c.example",
		"a b@c.example", "a@1.2.3.4", "a@[1.2.3.4]", "\"a\"@b.example", "a@b.example\r\nX: y", "a\x00@b.example", "अ@b.example", "a@ब.example", "<a@b.example>", "A <a@b.example>", "a@b.example,c@d.example",
		strings.Repeat("a", 65) + "@b.example", "a@" + strings.Repeat("b", 64) + ".example", "a@" + strings.Repeat("b.", 130) + "example"} {
		if got, err := ParseEmail(in); !fault.Is(err, fault.Invalid) || got != "" {
			t.Errorf("%q became %q, %v", in, got, err)
		}
	}
}

// FuzzParseEmail: what is taken stays itself, and holds one "@", no space and no
// control character.
func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{"a@b.example", "A.B@C.Example", "a@b\r\n.example", "a@@b.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseEmail(s)
		if err != nil {
			return
		}
		again, err := ParseEmail(got)
		if err != nil || again != got || strings.Count(got, "@") != 1 || strings.ContainsAny(got, " \t\r\n<>,;:\"()[]\\") || len(got) > maxEmail {
			t.Errorf("%q became %q, then %q (%v)", s, got, again, err)
		}
	})
}
