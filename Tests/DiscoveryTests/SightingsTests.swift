// Many reports of one service are one shard.

import Testing

@testable import Discovery

@Suite struct SightingsTests {
    private func key(_ name: String, interface: Int32 = 2, isIPv6: Bool = false) -> Sightings.Key {
        Sightings.Key(interface: interface, isIPv6: isIPv6, name: name, domain: "local")
    }

    private func shard(_ name: String, at host: String) -> DiscoveredShard {
        var announcement = ShardAnnouncementTests.shard
        announcement.name = name
        return DiscoveredShard(announcement: announcement, host: host)
    }

    @Test func aShardSeenOnSeveralInterfacesIsOneShardAtItsSurestAddress() {
        var sightings = Sightings()
        sightings.add(shard("a", at: "fe80::1%eth0"), as: key("a", isIPv6: true))
        sightings.add(shard("a", at: "127.0.0.1"), as: key("a", interface: 1))
        sightings.add(shard("a", at: "2001:db8::1"), as: key("a", interface: 3, isIPv6: true))
        #expect(sightings.shards == [shard("a", at: "2001:db8::1")])
        sightings.add(shard("a", at: "10.0.0.2"), as: key("a", interface: 4))
        #expect(sightings.shards == [shard("a", at: "10.0.0.2")])
        sightings.remove(key("a", interface: 4))
        sightings.remove(key("a", interface: 3, isIPv6: true))
        #expect(sightings.shards == [shard("a", at: "fe80::1%eth0")])
    }

    @Test func theLowestInterfaceDecidesBetweenEquals() {
        var sightings = Sightings()
        sightings.add(shard("a", at: "10.0.0.2"), as: key("a", interface: 4))
        sightings.add(shard("a", at: "10.0.1.2"), as: key("a", interface: 3))
        #expect(sightings.shards == [shard("a", at: "10.0.1.2")])
    }

    @Test func shardsAreSortedByTheNameOfTheirService() {
        var sightings = Sightings()
        sightings.add(shard("b", at: "10.0.0.2"), as: key("b"))
        sightings.add(shard("a", at: "10.0.0.3"), as: key("a"))
        #expect(sightings.shards.map(\.announcement.name) == ["a", "b"])
        sightings.remove(key("b"))
        #expect(sightings.shards.map(\.announcement.name) == ["a"])
    }
}
