package chromium

import (
	"slices"
	"testing"

	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/storybook"
)

// beyond are the elements with texts that reach out of the screen or are cut by their box.
const beyond = `[...document.querySelectorAll('main *, header *, nav *, footer *')].filter((e) => {
	if (!e.checkVisibility() || e.closest('.tk-scroll, .govuk-visually-hidden, svg, .govuk-skip-link') || e.matches('.govuk-skip-link')) return false;
	const wide = document.documentElement.clientWidth;
	return [...e.childNodes].some((n) => {
		if (n.nodeType !== 3 || !n.data.trim()) return false;
		const range = document.createRange(); range.selectNodeContents(n);
		const b = range.getBoundingClientRect();
		return b.width > 0 && (b.left < -1 || b.right > wide + 1);
	}) || (getComputedStyle(e).overflowX === 'hidden' && e.scrollWidth > e.clientWidth + 1);
}).map((e) => e.outerHTML.slice(0, 160)).join(' ; ')`

// unfolds are what can be unfolded and has no sign of it.
const unfolds = `[...document.querySelectorAll('summary')].filter((e) => e.checkVisibility() && ['::before', '::after'].every((p) => ['none', 'normal'].includes(getComputedStyle(e, p).content)) && getComputedStyle(e).display !== 'list-item').map((e) => e.outerHTML.slice(0, 120)).join(' ; ')`

// lines are texts whose lines are too near for Devanagari's signs above and below the letters, or
// for Arabic's: less than 1.4 and 1.45 times the letters' size.
const lines = `(() => {
	const least = { hi: 1.4, ur: 1.45 }[document.documentElement.lang];
	return !least ? '' : [...document.querySelectorAll('body *')].filter((e) => {
		if (!e.checkVisibility() || e.closest('svg, .govuk-visually-hidden, .tk-code, .tk-day, .tk-tile, .tk-fig, [dir=ltr]:not(html), [lang]:not(html), bdi')) return false;
		if (![...e.childNodes].some((n) => n.nodeType === 3 && /[\u0600-\u06ff\u0900-\u097f]/.test(n.data))) return false;
		const s = getComputedStyle(e);
		return parseFloat(s.lineHeight) / parseFloat(s.fontSize) < least - .01;
	}).map((e) => e.className + ' ' + (parseFloat(getComputedStyle(e).lineHeight) / parseFloat(getComputedStyle(e).fontSize)).toFixed(2) + ' ' + e.outerHTML.slice(0, 80)).slice(0, 3).join(' ; ');
})()`

// TestChromiumPortalPseudo: in a language whose words are 40 % longer, added by a file alone, no
// screen scrolls sideways or cuts a text at 320 pixels; neither in Hindi and Urdu, whose lines have
// the room their signs need; whatever can be unfolded shows that it can.
func TestChromiumPortalPseudo(t *testing.T) {
	on(t)
	file, err := catalogue.Pseudo()
	if err != nil {
		t.Fatal(err)
	}
	say, err := catalogue.LoadWith(catalogue.PseudoCode, file)
	if err != nil {
		t.Fatal(err)
	}
	book, err := storybook.In(say)
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t, newBrowser(t), book)
	folded := 0
	for _, name := range only(book.Names()) {
		for _, code := range []string{catalogue.PseudoCode, "hi", "ur"} {
			r.window(320, 640, "light")
			r.open("/s/" + name + "?lang=" + code)
			at := name + " in " + code
			if to := r.eval(sideways); to != "0" {
				t.Errorf("%s scrolls sideways at 320 pixels: %s", at, to)
			}
			if got := r.eval(beyond); got != "" {
				t.Errorf("%s: a text is cut: %s", at, got)
			}
			if got := r.eval(lines); got != "" {
				t.Errorf("%s: the lines are too near to each other for the script: %s", at, got)
			}
			if got := r.eval(unfolds); got != "" {
				t.Errorf("%s: nothing shows that it can be unfolded: %s", at, got)
			}
		}
		if r.eval(`document.querySelectorAll('summary').length`) != "1" { // the languages
			folded++
		}
	}
	if len(only(book.Names())) == len(book.Names()) && folded < 10 {
		t.Errorf("only %d screens have something to unfold", folded)
	}
	// The check finds what it looks for.
	r.open("/s/error/not_found?lang=" + catalogue.PseudoCode)
	r.eval(`(document.querySelector('main p').style.whiteSpace = 'nowrap', '')`)
	if r.eval(beyond) == "" && r.eval(sideways) == "0" {
		t.Error("a text that does not fit is not found")
	}
	if !slices.Contains(book.Languages(), catalogue.PseudoCode) {
		t.Error("the language is not in the book")
	}
}
