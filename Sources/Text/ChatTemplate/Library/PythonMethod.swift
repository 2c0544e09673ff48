// PythonMethod: the names of methods that strings, lists, dicts and other values have in a template.

/// A method's name.
enum PythonMethod: String, Sendable {
    // Strings
    case capitalize, casefold, center, encode, endswith, expandtabs, find, format, isalnum, isalpha, isascii
    case isdecimal, isdigit, isidentifier, islower, isnumeric, isprintable, isspace, istitle, isupper, join, ljust
    case lower, lstrip, maketrans, partition, removeprefix, removesuffix, replace, rfind, rindex, rjust, rpartition
    case rsplit, rstrip, split, splitlines, startswith, strip, swapcase, title, translate, upper, zfill
    case formatMap = "format_map"
    case unescape, striptags
    // Lists and strings
    case count, index
    // Dicts
    case get, items, keys, values, copy, fromkeys
    // Containers, refused
    case append, clear, extend, insert, pop, popitem, remove, reverse, setdefault, sort, update
    // Numbers
    case isInteger = "is_integer"
    case bitLength = "bit_length"
    // Loops and cyclers
    case cycle, changed, next, reset

    /// The method of this name, which a template may have computed.
    static func named(_ name: String) -> PythonMethod? {
        // No name is longer, and looking up a long one takes time.
        name.utf8.count <= 16 ? PythonMethod(rawValue: name) : nil
    }
}

extension JinjaInterpreter {
    /// Whether `value` has the method and lets a template call it.
    func methodAccess(of value: RenderValue, _ method: PythonMethod) -> MethodAccess {
        switch value {
        case .dict:
            switch method {
            case .get, .items, .keys, .values, .copy, .fromkeys: return .allowed
            case .clear, .pop, .popitem, .setdefault, .update: return .refused
            default: return .none
            }
        case .string, .markup: return isStringMethod(method, ofMarkup: value.isMarkup) ? .allowed : .none
        case .list:
            switch method {
            case .count, .index, .copy: return .allowed
            case .append, .clear, .extend, .insert, .pop, .remove, .reverse, .sort: return .refused
            default: return .none
            }
        case .tuple, .range: return method == .count || method == .index ? .allowed : .none
        case .double: return method == .isInteger ? .allowed : .none
        case .int, .bool: return method == .bitLength ? .allowed : .none
        case .object(let object): return objectHas(object, method) ? .allowed : .none
        case .undefined, .none, .bigInteger: return .none
        }
    }

    private func isStringMethod(_ method: PythonMethod, ofMarkup isMarkup: Bool) -> Bool {
        switch method {
        case .get, .items, .keys, .values, .copy, .fromkeys, .append, .clear, .extend, .insert, .pop, .popitem,
            .remove, .reverse, .setdefault, .sort, .update, .isInteger, .bitLength, .cycle, .changed, .next, .reset:
            false
        case .unescape, .striptags: isMarkup
        default: true
        }
    }

    private func objectHas(_ object: RenderObject, _ method: PythonMethod) -> Bool {
        switch object {
        case is RenderLoop: method == .cycle || method == .changed
        case is RenderCycler: method == .next || method == .reset
        case let function as RenderFunction: function.name == "dict" && method == .fromkeys
        default: false
        }
    }
}

extension RenderValue {
    var isMarkup: Bool {
        if case .markup = self { return true }
        return false
    }
}
