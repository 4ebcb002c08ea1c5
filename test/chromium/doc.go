// Package chromium holds the tests of the staff client in a real browser, headless
// Chromium with a virtual authenticator, against the real binary. They run where
// TIKAKOSH_CHROMIUM=1 says that Chromium is installed, and fail without it.
package chromium
