package storybook

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

var (
	inputTag = regexp.MustCompile(`(?s)<input[^>]*>`)
	attr     = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

// TestFields: on every screen no field is type=number; fields of digits ask for their keypad;
// what a browser can fill in by itself is named as it knows it (WCAG 1.3.5, web.md 9, rows 1
// and 8); one field at most takes a code, and it is text.
func TestFields(t *testing.T) {
	b, err := New()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{"mobile": "tel-national", "pin": "postal-code", "code": "one-time-code", "name": "name", "year": "bday-year"}
	digits := []string{"mobile", "code", "year", "day", "age"}
	seen := map[string]bool{}
	for _, name := range b.Names() {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequest("GET", address(name, "en"), nil))
		body := w.Body.String()
		if n := strings.Count(body, `autocomplete="one-time-code"`); n > 1 {
			t.Errorf("%s has %d fields for one code", name, n)
		}
		for _, tag := range inputTag.FindAllString(body, -1) {
			a := map[string]string{}
			for _, m := range attr.FindAllStringSubmatch(tag, -1) {
				a[m[1]] = m[2]
			}
			if a["type"] == "hidden" || a["type"] == "checkbox" || a["type"] == "radio" || a["type"] == "file" {
				continue
			}
			seen[a["name"]] = true
			if a["type"] == "number" || a["type"] == "" {
				t.Errorf("%s: %s", name, tag)
			}
			for _, d := range digits {
				if a["name"] == d && a["inputmode"] != "numeric" {
					t.Errorf("%s: no keypad of digits: %s", name, tag)
				}
			}
			want, fills := known[a["name"]]
			if a["type"] == "password" || a["autocomplete"] == "off" { // a card's PIN, another person's name
				fills = false
			}
			if fills && a["autocomplete"] != want && a["inputmode"]+a["name"] != "numericyear" {
				t.Errorf("%s: the browser cannot fill it in: %s, want %s", name, tag, want)
			}
		}
	}
	for _, want := range []string{"mobile", "code", "name", "year", "card"} {
		if !seen[want] {
			t.Errorf("no field %s is seen", want)
		}
	}
}
