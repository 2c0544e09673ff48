// What `-l` accepts and refuses.

import Testing

@testable import RingShard

@Suite struct LayerListTests {
    @Test(arguments: [
        ("[0,1,2,3]", "0-3"), ("0-17,36-53", "0-17,36-53"), (" [ 4, 5 ,7 ] ", "4-5,7"), ("7", "7"),
        ("5,3-4,0", "0,3-5"),
    ])
    func reads(_ text: String, _ expected: String) throws {
        #expect(try LayerList(parsing: text).description == expected)
    }

    @Test func listsEveryLayerAscending() throws {
        #expect(try LayerList(parsing: "6-7,0-2").layers == [0, 1, 2, 6, 7])
        #expect(LayerList(all: 3).layers == [0, 1, 2])
    }

    @Test(arguments: ["", "[]", "[0,1", "a", "3-1", "1-2-3", "-1", "0,,1", "1.5", "99999999999"])
    func refusesUnreadable(_ text: String) {
        #expect(throws: LayerListError.self) { try LayerList(parsing: text) }
    }

    @Test func refusesRepeatsAndHugeIndices() {
        #expect(throws: LayerListError.repeated(2)) { try LayerList(parsing: "0-3,2") }
        #expect(throws: LayerListError.tooLarge(5000)) { try LayerList(parsing: "5000") }
    }
}
