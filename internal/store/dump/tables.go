package dump

// RegistryTables lists the tables of the registry database, a table after those
// it refers to. A test compares the list with the schema.
func RegistryTables() []string {
	return []string{"person", "sealed", "member", "reference", "outbox", "idempotency", "centre", "session", "session_place",
		"hold", "hold_place", "appointment", "draw_entry", "draw", "inbox", "inbox_elsewhere", "wish", "reserve", "report"}
}

// VaultTables lists, but for the lease of the vault that runs, the tables of the vault's database.
func VaultTables() []string {
	return []string{"key_ring", "household", "mobile_index", "person", "id_tag", "open_session", "staff", "card", "partner", "issued", "revocation", "correction", "departure", "key_state", "budget",
		"change", "presence", "relink", "request", "share", "share_link", "staff_member", "staff_proposal", "staff_area", "staff_roster", "staff_session", "staff_ceremony", "staff_department",
		"challenge", "quota", "counter", "bearer", "replay", "idempotency", "open_day", "notice", "alert", "place", "stat",
		"ledger_head", "ledger_entry", "task"}
}
