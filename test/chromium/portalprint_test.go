package chromium

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"tikakosh/internal/certificate/encode"
	"tikakosh/test/harness"
)

// TestChromiumPortalCertificate: somebody shows their certificate; with the server gone, the
// open page still prints on one A4 page, in each language, and its code is read from a black
// and white picture of the print and from the screen of a phone. What it says is genuine.
func TestChromiumPortalCertificate(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Kumari Test")
	s.Vaccinate(c, mobile, ref)
	raw, err := encode.HC1FromPDF(c.Certificate(ref).Body)
	if err != nil || raw == "" {
		t.Fatal(err)
	}
	browser := newBrowser(t)
	var pages []*reader
	for _, code := range []string{"en", "hi", "ur"} {
		r := at(t, browser, s.Root)
		p := s.Portal()
		p.SignIn(mobile)
		r.carry(p, "__Host-session", "__Host-seat")
		r.open("/p/" + p.Handle(ref) + "/certificate?lang=" + code)
		r.eval(`document.querySelector('#certificate button').click()`)
		r.until("the certificate", `!!document.querySelector('svg.tk-qr')`)
		pages = append(pages, r)
		if got := r.eval("location.href + document.title + JSON.stringify({...localStorage, ...sessionStorage})"); strings.Contains(got, "Asha") || strings.Contains(got, "HC1") || strings.Contains(got, ref) {
			t.Errorf("%s: the page leaves something: %s", code, got)
		}
	}
	s.KillRole(harness.RoleWeb)
	dir := os.Getenv("TIKAKOSH_SHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	for n, r := range pages {
		text := r.eval(`document.querySelector('.tk-code').textContent`)
		screen := call(r, page.CaptureScreenshot, page.CaptureScreenshotParams{Clip: r.box("svg.tk-qr"), CaptureBeyondViewport: yes()})
		if got := read(t, screen.Data); got != text {
			t.Errorf("page %d: the screen's code says %.20q", n, got)
		}
		pdf := call(r, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: yes()})
		if pages := len(regexp.MustCompile(`/Type\s*/Page\b[^s]`).FindAll(pdf.Data, -1)); pages != 1 {
			t.Errorf("page %d prints on %d sheets", n, pages)
		}
		call(r, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 794, Height: 1123, DeviceScaleFactor: 3}) // A4 at 288 dots an inch, less than any printer's
		call(r, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		print := call(r, page.CaptureScreenshot, page.CaptureScreenshotParams{})
		code := call(r, page.CaptureScreenshot, page.CaptureScreenshotParams{Clip: r.box("svg.tk-qr")}) // what a reader is held over
		if got := read(t, code.Data); got != text {
			t.Errorf("page %d: the print's code says %.20q", n, got)
		}
		for _, x := range []struct {
			name string
			data []byte
		}{{"print", print.Data}, {"pdf", pdf.Data}} {
			if err := os.WriteFile(filepath.Join(dir, "certificate_"+x.name+[]string{"-en", "-hi", "-ur"}[n]+map[string]string{"print": ".png", "pdf": ".pdf"}[x.name]), x.data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if text[:4] != "HC1:" || len(r.said) > 0 && !strings.Contains(strings.Join(r.said, ""), "ERR_") {
			t.Errorf("page %d: %q", n, r.said)
		}
	}
}

func yes() *bool {
	v := true
	return &v
}

// carry takes cookies of a browser without scripts over.
func (r *reader) carry(p *harness.Portal, names ...string) {
	r.Helper()
	for _, name := range names {
		call(r, network.SetCookie, network.SetCookieParams{Name: name, Value: p.Cookie(name), URL: r.base, Path: "/", Secure: yes(), HTTPOnly: yes()})
	}
}

// box is where an element is.
func (r *reader) box(selector string) *page.Viewport {
	r.Helper()
	var v page.Viewport
	if err := json.Unmarshal([]byte(r.eval(`(() => { const b = document.querySelector('`+selector+`').getBoundingClientRect(); return JSON.stringify({ x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height, scale: 3 }); })()`)), &v); err != nil {
		r.Fatal(err)
	}
	return &v
}

// read makes a picture black and white, as a fax or a cheap printer does, and reads the code
// in it.
func read(t *testing.T, raw []byte) string {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	// As a reader does, who gets many pictures from some nearer or further away: the decoder of
	// this test takes a whole number of dots for the width of a module.
	for _, size := range []float64{1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35} {
		w, h := int(float64(img.Bounds().Dx())*size), int(float64(img.Bounds().Dy())*size)
		bw := image.NewGray(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				at := img.At(img.Bounds().Min.X+int((float64(x)+0.5)/size), img.Bounds().Min.Y+int((float64(y)+0.5)/size))
				if color.GrayModel.Convert(at).(color.Gray).Y > 127 {
					bw.SetGray(x, y, color.Gray{Y: 255})
				}
			}
		}
		var bmp *gozxing.BinaryBitmap
		if bmp, err = gozxing.NewBinaryBitmapFromImage(bw); err != nil {
			t.Fatal(err)
		}
		var res *gozxing.Result
		if res, err = qrcode.NewQRCodeReader().Decode(bmp, map[gozxing.DecodeHintType]interface{}{gozxing.DecodeHintType_TRY_HARDER: true}); err == nil {
			return res.GetText()
		}
	}
	t.Errorf("no code is read: %v", err)
	return ""
}
