package notify

import "bytes"

// receiptState is what a delivery receipt says in the end.
type receiptState int

const (
	receiptOther receiptState = iota // on its way, or unreadable
	receiptDelivered
	receiptFailed
)

// parseReceipt reads a receipt: the message_state parameter when there is one
// (SMPP 3.4, 5.2.28), else the customary text (appendix B: "id:… stat:DELIVRD …").
// Whatever a gateway sends, it ends in one of three states.
func parseReceipt(text []byte, state byte) receiptState {
	switch state {
	case 2:
		return receiptDelivered
	case 3, 4, 5, 8:
		return receiptFailed
	case 0:
	default:
		return receiptOther
	}
	_, rest, ok := bytes.Cut(text, []byte("stat:"))
	if !ok || len(rest) < 7 {
		return receiptOther
	}
	switch string(rest[:7]) {
	case "DELIVRD":
		return receiptDelivered
	case "EXPIRED", "DELETED", "UNDELIV", "REJECTD":
		return receiptFailed
	}
	return receiptOther
}
