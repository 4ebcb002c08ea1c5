package vault

// The codes of fault.Unavailable that say why the vault does nothing now. All of
// them pass: by themselves, or by what an operator does.
const (
	CodeAway     = "vault"       // it cannot be reached, or does not answer
	CodeStarting = "starting"    // it has just been started
	CodeStandby  = "lease"       // another machine's vault serves; this one would take over from it
	CodeShares   = "key-shares"  // it waits for the shares of its key
	CodeCustody  = "key-custody" // its keys' custodian does not answer
	CodeDatabase = "database"    // its database cannot be reached
)
