// How many tokens the shards' caches hold, with what sequences share counted once.

/// Keeps account of the sequences whose caches the shards hold. Sequences that share a beginning form a tree: each
/// counts what it does not share with its parent.
struct CacheLedger {
    /// Tokens in a block of the shards' caches: blocks are borrowed, shared and given back as wholes.
    static let blockTokens = 64

    private struct Account {
        var tokens = 0
        var parent: UInt64?
        /// Tokens it shares with its parent.
        var shared = 0

        var ownBlocks: Int {
            max(0, (tokens + blockTokens - 1) / blockTokens - shared / blockTokens)
        }
    }

    private var accounts: [UInt64: Account] = [:]
    private var blocks = 0

    /// Room that the sequences take, in tokens.
    var tokens: Int { blocks * Self.blockTokens }

    /// A sequence begins, with the first `shared` tokens of `parent` if it is known.
    mutating func begin(_ id: UInt64, parent: UInt64? = nil, shared: Int = 0) {
        drop(id)
        var account = Account(tokens: shared)
        if let parent, accounts[parent] != nil { (account.parent, account.shared) = (parent, shared) }
        set(id, account)
    }

    /// A sequence has grown to `tokens` tokens.
    mutating func hold(_ id: UInt64, tokens: Int) {
        var account = accounts[id] ?? Account()
        account.tokens = tokens
        set(id, account)
    }

    /// A sequence goes. What others share with it stays, on account of the one among them that shares most.
    mutating func drop(_ id: UInt64) {
        guard let gone = accounts[id] else { return }
        set(id, nil)
        let children = accounts.filter { $0.value.parent == id }
            .sorted { ($1.value.shared, $0.key) < ($0.value.shared, $1.key) }
        guard let heir = children.first else { return }
        for (child, account) in children {
            var account = account
            if child == heir.key {
                account.parent = gone.parent
                account.shared = gone.parent == nil ? 0 : min(account.shared, gone.shared)
            } else {
                account.parent = heir.key
            }
            set(child, account)
        }
    }

    mutating func removeAll() {
        accounts.removeAll()
        blocks = 0
    }

    private mutating func set(_ id: UInt64, _ account: Account?) {
        blocks += (account?.ownBlocks ?? 0) - (accounts[id]?.ownBlocks ?? 0)
        accounts[id] = account
    }
}
