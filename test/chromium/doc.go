// Package chromium holds the tests in a real browser, headless Chromium: of the staff
// client with a virtual authenticator against the real binary, and of the portal's screens. They run where
// TIKAKOSH_CHROMIUM=1 says that Chromium is installed, and fail without it.
package chromium
