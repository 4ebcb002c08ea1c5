// Package courier runs the whole product over SMS gateways: another author's
// (npm smpp, where TIKAKOSH_NODE=1 says that node and npm are there), which is cut
// off in the middle of a burst.
package courier
