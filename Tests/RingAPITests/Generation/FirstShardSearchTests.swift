// The first shard among those on the network, or a sentence that says why it is not known.

import Discovery
import RingTransport
import Testing
import Wire

@testable import RingAPI

@Suite struct FirstShardSearchTests {
    private func shard(
        _ name: String, layers: String, cluster: String = "home", model: String = "aa",
        version: UInt32 = WireLimits.protocolVersion
    ) -> DiscoveredShard {
        DiscoveredShard(
            announcement: ShardAnnouncement(
                name: name, port: 50501, protocolVersion: version, cluster: cluster, cores: 2, memoryBytes: 1,
                layers: layers, modelFingerprint: model),
            host: "10.0.0.\(name.count)")
    }

    private func search(_ shards: DiscoveredShard...) -> Result<RingAddress, LinkTarget.AddressUnknown> {
        FirstShardSearch.address(among: shards, cluster: "home", modelFingerprint: "aa")
    }

    private func reason(_ shards: DiscoveredShard...) -> String {
        let result = FirstShardSearch.address(among: shards, cluster: "home", modelFingerprint: "aa")
        guard case .failure(let unknown) = result else { return "" }
        return unknown.reason
    }

    @Test func theShardWithLayerZeroIsTheFirst() {
        let found = search(
            shard("b", layers: "6-11"), shard("aa", layers: "0-5,12-17"),
            shard("other", layers: "0-11", cluster: "lab"),
            shard("elsewhere", layers: "0-11", model: "bb"))
        #expect(found == .success(RingAddress(host: "10.0.0.2", port: 50501)))
    }

    @Test func layerTenIsNotLayerZero() {
        #expect(reason(shard("b", layers: "10-11")).contains("holds layer 0"))
    }

    @Test func whyThereIsNoneIsSaid() {
        #expect(reason().contains("no shard"))
        #expect(reason(shard("b", layers: "0", cluster: "lab")).contains("none of home: b (10.0.0.1:50501)"))
        #expect(reason(shard("b", layers: "0", version: 999)).contains("another version"))
        #expect(reason(shard("b", layers: "0", model: "bb")).contains("holds this model"))
        #expect(reason(shard("b", layers: "0"), shard("cc", layers: "0-3")).contains("name one with -s"))
    }
}
