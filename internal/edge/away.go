package edge

import (
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// awayText says what is down, and what goes on, when the vault does nothing now;
// "" for every other failure. Somebody who sent an act and got no answer is told
// that it may have been done.
func awayText(kind fault.Kind, code string) string {
	switch code {
	case vault.CodeAway, vault.CodeStarting, vault.CodeDatabase:
		if kind == fault.Unknown {
			return "The part of the service that keeps the records stopped answering. It is not known whether your request was carried out: please look before you send it again."
		}
		return "The part of the service that keeps the records cannot be reached. Signing in, bookings and certificates wait; finding a centre goes on. Please try again in a few seconds."
	case vault.CodeCustody:
		return "What holds the keys of the records does not answer, so this waits. Please try again in a few seconds."
	case vault.CodeShares:
		return "The records are locked: the service has been started and waits for the people who hold its key. Finding a centre goes on. Please try again in a few minutes."
	case vault.CodeStandby:
		return "This server stands by while another one serves. Please use the service's usual address."
	}
	return ""
}
