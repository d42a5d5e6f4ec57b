package premises_test

import (
	"net/netip"

	"vedetta/central/account"
)

func client() account.Client {
	return account.Client{Address: netip.MustParseAddr("198.51.100.9"), Agent: "Firefox"}
}
