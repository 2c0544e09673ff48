// What is announced is what is read, and strangers' records are survived.

import Testing

@testable import Discovery

@Suite struct ShardAnnouncementTests {
    static let shard = ShardAnnouncement(
        name: "attic", port: 50501, protocolVersion: 3, cluster: "home", cores: 8, memoryBytes: 33_554_432_000,
        layers: "0-17,36-53", modelFingerprint: "00ff")

    @Test func whatIsAnnouncedIsRead() {
        #expect(ShardAnnouncement(entries: Self.shard.entries, port: 50501) == Self.shard)
    }

    @Test func theOrderOfEntriesAndUnknownOnesDoNotMatter() {
        let entries = ["later=1", "org.freedesktop.Avahi.cookie=3"] + Self.shard.entries.reversed() + ["flag"]
        #expect(ShardAnnouncement(entries: entries, port: 50501) == Self.shard)
    }

    @Test(arguments: ["name", "protocol", "cluster", "cores", "memory"])
    func anEntryThatEveryShardSendsMustBeThere(_ key: String) {
        #expect(ShardAnnouncement(entries: Self.shard.entries.filter { !$0.hasPrefix(key + "=") }, port: 1) == nil)
    }

    @Test(arguments: ["protocol=x", "protocol=-1", "cores=many", "memory=", "name="])
    func anEntryThatCannotBeReadIsNoShard(_ entry: String) {
        let key = entry.prefix { $0 != "=" }
        let entries = Self.shard.entries.filter { !$0.hasPrefix(key + "=") } + [entry]
        #expect(ShardAnnouncement(entries: entries, port: 1) == nil)
    }

    @Test func aLongValueIsCutBetweenCharacters() {
        var shard = Self.shard
        shard.name = String(repeating: "ä", count: 200)
        #expect(shard.entries.allSatisfy { $0.utf8.count <= 255 })
        #expect(ShardAnnouncement(entries: shard.entries, port: 1)?.name == String(repeating: "ä", count: 125))
    }
}
