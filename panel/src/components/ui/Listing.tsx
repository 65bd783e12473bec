import { Button, Table } from "@mantine/core";
import { memo, type ReactNode, type Ref } from "react";
import { Link } from "react-router";
import type { Place } from "@/lib/long";
import { t } from "@/lib/t";
import { type Held, useRoom } from "./room";
import { Failed, RowSkeletons } from "./States";

export interface Column<T> {
  name: string;
  cell: (item: T) => ReactNode;
  /** The first column carries the link of its row, and the title of its card on a phone. */
  width?: string | number;
  /** What stands in it explains itself: its name is for screen readers. */
  silent?: boolean;
}

interface Query<T> {
  items: T[];
  isPending: boolean;
  error: unknown;
  isFetching?: boolean;
  refetch: () => unknown;
  hasNextPage?: boolean;
  isFetchingNextPage?: boolean;
  fetchNextPage?: () => unknown;
  /** Of a list that may be very long; it goes on by itself. */
  long?: { id: string; pages: T[][]; places: Place[]; leap: Held["leap"] };
  hasPreviousPage?: boolean;
  isFetchingPreviousPage?: boolean;
  fetchPreviousPage?: () => unknown;
}

interface ListingProps<T> {
  label: string;
  query: Query<T>;
  /** Those of a long list are best made once, outside of what draws it: then rows that stay are not drawn again. */
  columns: Column<T>[];
  empty: ReactNode;
  to?: (item: T) => string;
}

/** A list of the API: waiting, failed, empty, or rows with more to come. On a phone each row is a card. */
export function Listing<T extends { id: string }>(props: ListingProps<T>) {
  const { query, empty } = props;
  if (query.isPending) return <RowSkeletons />;
  if (query.error && !query.items.length && !query.hasPreviousPage) return <Failed error={query.error} retry={() => query.refetch()} />;
  // Deep in a long list, what stood here may be gone; above it is more.
  if (!query.items.length && !query.hasPreviousPage) return empty;
  return (
    <>
      {query.long && query.error !== null && (
        <div className="rows-failed">
          <Failed error={query.error} retry={() => query.refetch()} />
        </div>
      )}
      {query.long ? <LongRows key={query.long.id} {...props} long={query.long} /> : <Rows {...props} />}
      {query.hasNextPage && (
        <div className="more">
          <Button variant="default" size="xs" loading={query.isFetchingNextPage} onClick={() => query.fetchNextPage?.()}>
            {t("Show more")}
          </Button>
        </div>
      )}
    </>
  );
}

function Rows<T extends { id: string }>({ label, query: { items }, columns, to }: ListingProps<T>) {
  return (
    <Framed label={label} columns={columns}>
      <tbody>
        {items.map((item) => (
          <Row key={item.id} item={item} columns={columns} to={to} />
        ))}
      </tbody>
    </Framed>
  );
}

/** The pages that are held, between the room of those that are not. Rows are counted as in the whole list. */
function LongRows<T extends { id: string }>({ label, query, long: { pages, places, leap }, columns, to }: ListingProps<T> & { long: NonNullable<Query<T>["long"]> }) {
  const { table, room } = useRoom({
    places,
    leap,
    hasNextPage: query.hasNextPage ?? false,
    hasPreviousPage: query.hasPreviousPage ?? false,
    // Another page would end what is being read again; after a failure it goes on by hand.
    isHeld: Boolean(query.isFetching || query.error),
    fetchNextPage: () => query.fetchNextPage?.(),
    fetchPreviousPage: () => query.fetchPreviousPage?.(),
  });
  const whole = !query.hasNextPage && places[0]?.page === 0;
  const seen = places.at(-1)!.row + pages.at(-1)!.length + 1;
  return (
    <Framed label={label} columns={columns} inner={table} count={whole ? undefined : query.hasNextPage ? -1 : seen}>
      <Room height={room.above} />
      {pages.map((items, at) => (
        <tbody key={places[at]!.page} data-page={places[at]!.page}>
          {items.map((item, row) => (
            <Row key={item.id} item={item} columns={columns} to={to} index={whole ? undefined : places[at]!.row + row + 2} />
          ))}
        </tbody>
      ))}
      <Room height={room.below} />
    </Framed>
  );
}

interface FramedProps {
  label: string;
  columns: { name: string; width?: string | number; silent?: boolean }[];
  inner?: Ref<HTMLTableElement>;
  count?: number;
  children: ReactNode;
}

function Framed({ label, columns, inner, count, children }: FramedProps) {
  return (
    <Table ref={inner} className="rows" verticalSpacing="sm" horizontalSpacing="md" aria-label={label} aria-rowcount={count}>
      <Table.Thead>
        <Table.Tr aria-rowindex={count && 1}>
          {columns.map((column) => (
            <Table.Th key={column.name} w={column.width} scope="col">
              {column.silent ? <span className="visually-hidden">{column.name}</span> : column.name}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      {children}
    </Table>
  );
}

interface RowProps<T> {
  item: T;
  index?: number;
  columns: Column<T>[];
  to?: (item: T) => string;
}

/** Of hundreds of rows each component of a library is felt, and so is drawing those again that stay. */
const Row = memo(function Row<T>({ item, index, columns, to }: RowProps<T>) {
  return (
    <tr data-linked={to ? true : undefined} aria-rowindex={index}>
      {columns.map((column, place) => (
        <td key={column.name} data-name={column.name}>
          {place === 0 && to ? (
            <Link to={to(item)} className="row-link">
              {column.cell(item)}
            </Link>
          ) : (
            column.cell(item)
          )}
        </td>
      ))}
    </tr>
  );
}) as <T>(props: RowProps<T>) => ReactNode;

function Room({ height }: { height: number }) {
  if (!height) return null;
  return (
    <tbody aria-hidden className="room">
      <tr style={{ height }}>
        <td style={{ height }} />
      </tr>
    </tbody>
  );
}
