import { Button, Table } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { t } from "@/lib/t";
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
  refetch: () => unknown;
  hasNextPage?: boolean;
  isFetchingNextPage?: boolean;
  fetchNextPage?: () => unknown;
}

interface ListingProps<T> {
  label: string;
  query: Query<T>;
  columns: Column<T>[];
  empty: ReactNode;
  to?: (item: T) => string;
}

/** A list of the API: waiting, failed, empty, or rows with more to come. On a phone each row is a card. */
export function Listing<T extends { id: string }>({ label, query, columns, empty, to }: ListingProps<T>) {
  if (query.isPending) return <RowSkeletons />;
  if (query.error && !query.items.length) return <Failed error={query.error} retry={() => query.refetch()} />;
  if (!query.items.length) return empty;
  return (
    <>
      <Table className="rows" verticalSpacing="sm" horizontalSpacing="md" aria-label={label}>
        <Table.Thead>
          <Table.Tr>
            {columns.map((column) => (
              <Table.Th key={column.name} w={column.width} scope="col">
                {column.silent ? <span className="visually-hidden">{column.name}</span> : column.name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {query.items.map((item) => (
            <Table.Tr key={item.id} data-linked={to ? true : undefined}>
              {columns.map((column, place) => (
                <Table.Td key={column.name} data-name={column.name}>
                  {place === 0 && to ? (
                    <Link to={to(item)} className="row-link">
                      {column.cell(item)}
                    </Link>
                  ) : (
                    column.cell(item)
                  )}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
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
